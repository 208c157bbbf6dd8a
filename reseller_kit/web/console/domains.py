"""The pages `/console/domains`: a storefront's own hosts, each with the records that make it work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.domain import DETACH_DAYS, Record, challenge_name
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError
from ...core.roles import may
from ...core.times import DAY_US, SECOND_US
from ...core.urls import public_url
from ...flows import domains as flow
from ...flows.domains import DomainView
from ...flows.domains.change import role_of
from ...theming.console_domains import DomainLine, DomainPageView, DomainsView, FoundLine, RecordLine
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of
from .guards import member_may

_PATH: Final = "/console/domains"
_LONGEST_HOST: Final = 300
_DONE: Final = frozenset({"added", "checked", "primary", "role", "removed", "unclaimed"})
Action = Callable[[Handler, str, Form], Awaitable[str]]


def domain_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list with the form that adds a host, and a page for each."""

    @get(_PATH, guards=[member_may("domains")])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(_PATH, guards=[member_may("domains", edit=True)])
    async def add(request: Handler) -> Response[Any]:
        form, member, runtime = await read_form(request), member_of(request), runtime_of(request)
        try:
            view = await flow.add(
                runtime.db,
                runtime.resolver,
                tenant_id=member.tenant_id,
                typed=form.line("host", _LONGEST_HOST),
                role=role_of(form.raw("role") or "storefront"),
                actor=member.actor,
            )
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error, "host")
            return await _list(pages, request, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}/{view.host}?done=added")

    @get(_PATH + "/{host:str}", guards=[member_may("domains")])
    async def one(request: Handler, host: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, host)

    @post(_PATH + "/{host:str}", guards=[member_may("domains", edit=True)])
    async def change(request: Handler, host: FromPath[str]) -> Response[Any]:
        form = await read_form(request)
        action = _ACTIONS.get(form.raw("action"))
        if action is None:
            return see_other(f"{_PATH}/{host}")
        try:
            done = await action(request, host, form)
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error, "")
            return await _show(pages, request, host, form=form.view(problem), status=problem.status)
        target = _PATH if done in {"removed", "unclaimed"} else f"{_PATH}/{host}"
        return see_other(f"{target}?done={done}")

    return [look, add, one, change]


async def _check(request: Handler, host: str, _: Form) -> str:
    member, runtime = member_of(request), runtime_of(request)
    await flow.check(runtime.db, runtime.resolver, tenant_id=member.tenant_id, host=host, actor=member.actor)
    return "checked"


async def _primary(request: Handler, host: str, _: Form) -> str:
    member = member_of(request)
    await flow.make_primary(runtime_of(request).db, tenant_id=member.tenant_id, host=host, actor=member.actor)
    return "primary"


async def _role(request: Handler, host: str, form: Form) -> str:
    member, role = member_of(request), role_of(form.raw("role"))
    await flow.set_role(runtime_of(request).db, tenant_id=member.tenant_id, host=host, role=role, actor=member.actor)
    return "role"


async def _remove(request: Handler, host: str, _: Form) -> str:
    member, runtime = member_of(request), runtime_of(request)
    left = await flow.remove(runtime.db, runtime.resolver, tenant_id=member.tenant_id, host=host, actor=member.actor)
    return "unclaimed" if left is None else "removed"


_ACTIONS: Final[Mapping[str, Action]] = {"check": _check, "primary": _primary, "role": _role, "remove": _remove}
"""What the page's forms name in their field `action`."""


async def _list(pages: Pages, request: Handler, *, form: FormView | None = None, status: int = 200) -> Response[Any]:
    member = member_of(request)
    found = await flow.list_domains(runtime_of(request).db, member.tenant_id)
    lines = [_line(view, member, _url(pages, request, view)) for view in found]
    view = DomainsView(
        rows=tuple(line for line in lines if line.look != "tombstone"),
        gone=tuple(line for line in lines if line.look == "tombstone"),
        may_edit=may(member.role, "domains", edit=True),
        form=form or FormView(),
        done=_done(request),
    )
    return pages.answer(request, "console/domains.html", view=view, status=status)


async def _show(
    pages: Pages, request: Handler, host: str, *, form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member = member_of(request)
    found = await flow.show_domain(runtime_of(request).db, member.tenant_id, host)
    records = [_record(found, each) for each in found.to_set]
    view = DomainPageView(
        line=_line(found, member, _url(pages, request, found)),
        proof=next((each for each in records if each.kind == "TXT"), None),
        alias=next((each for each in records if each.kind == "CNAME"), None),
        addresses=tuple(each for each in records if each.kind in {"A", "AAAA"}),
        surplus=tuple(RecordLine(kind=each.kind, name=each.name, value=each.value) for each in found.verdict.surplus),
        found=_found(found),
        proven=found.verdict.proven,
        pointed=found.verdict.pointed,
        forbidden=found.verdict.certifiable is False,
        issuers=() if found.check is None else found.check.target.issuers,
        verified=_moment(found.verified_at, member.zone),
        expires=_moment(found.expires_at, member.zone),
        failing=_moment(found.failing_since, member.zone),
        ends=_moment(None if found.failing_since is None else found.failing_since + DETACH_DAYS * DAY_US, member.zone),
        ended=_moment(found.ended_at, member.zone),
        secured=_moment(found.secured_at, member.zone),
        message=_message(found),
        may_edit=may(member.role, "domains", edit=True),
        form=form or FormView(),
        done=_done(request),
    )
    return pages.answer(request, "console/domain.html", view=view, status=status)


def _line(view: DomainView, member: Member, url: str) -> DomainLine:
    failing = view.state == "live" and view.failing_since is not None
    return DomainLine(
        host=view.host,
        role=view.role,
        look="failing" if failing else view.state,
        primary=view.primary,
        fallback=view.fallback,
        vouched=view.source == "file",
        url=url,
        checked=_moment(view.checked_at, member.zone),
    )


def _url(pages: Pages, request: Handler, view: DomainView) -> str:
    """Where a live host is to be seen."""
    if view.state != "live":
        return ""
    return public_url(view.host, runtime_of(request).snapshot.public_url, pages.port)


def _record(view: DomainView, record: Record) -> RecordLine:
    return RecordLine(kind=record.kind, name=record.name, value=record.value, found=_is_there(view, record))


def _is_there(view: DomainView, record: Record) -> bool | None:
    if view.check is None:
        return None
    found = view.check.found
    there = {"TXT": found.txt, "CNAME": found.cnames, "A": found.a, "AAAA": found.aaaa}[record.kind]
    return None if there is None else record.value in there


def _found(view: DomainView) -> tuple[FoundLine, ...]:
    if view.check is None:
        return ()
    found, host = view.check.found, view.host
    kinds = (
        ("TXT", challenge_name(host), found.txt),
        ("CNAME", host, found.cnames),
        ("A", host, found.a),
        ("AAAA", host, found.aaaa),
        ("CAA", host, found.issuers),
    )
    return tuple(FoundLine(kind=kind, name=name, values=values) for kind, name, values in kinds)


def _message(view: DomainView) -> str:
    """What a reseller forwards to whoever runs its DNS: plain, complete, and naming nobody."""
    by_kind: dict[str, list[str]] = {}
    for each in view.to_set:
        by_kind.setdefault(each.kind, []).append(f"{each.kind:<6}{each.name}   {each.value}")
    addresses = [*by_kind.get("A", ()), *by_kind.get("AAAA", ())]
    parts = [f"Please set these DNS records for {view.host}:", *by_kind.get("TXT", ()), *by_kind.get("CNAME", ())]
    if addresses and by_kind.get("CNAME"):
        parts += ["", "Where there can be no CNAME, as at the top of a zone, these instead of it:"]
    parts += addresses
    if view.verdict.surplus:
        parts += ["", "And remove these, which lead elsewhere:"]
        parts += [f"{each.kind:<6}{each.name}   {each.value}" for each in view.verdict.surplus]
    parts += ["", "The TXT record proves that the domain may be used. Please keep it: it is checked again every hour."]
    return "\n".join(parts) if by_kind else ""


def _problem(error: KitError, field: str) -> InvalidForm:
    """A refusal as the form's own problem, as it stands: what it repeats of the form is no placeholder."""
    if isinstance(error, InvalidForm):
        return error
    return InvalidForm({field: ("{text}", {"text": " ".join(filter(None, (error.message, error.fix)))})})


def _done(request: Handler) -> str:
    done = request.query_params.get("done", "")
    return done if done in _DONE else ""


def _moment(at: int | None, zone: ZoneInfo) -> dt.datetime | None:
    return None if at is None else dt.datetime.fromtimestamp(at // SECOND_US, zone)
