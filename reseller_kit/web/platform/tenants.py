"""The operator's page of one tenant: how it stands, what keeps it from selling, open, suspend and resume."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import InvalidForm, InvalidManifest, NotFound
from ...core.times import SECOND_US
from ...core.urls import public_url
from ...flows import tenants as flow
from ...flows.complaint import Complaint
from ...flows.doctor import examine_tenant
from ...flows.launch import open_any
from ...flows.operator_overview import look
from ...flows.provision.edit import problems_of
from ...flows.provision.export import export_state
from ...flows.tenants import TenantDetail
from ...theming.forms import FormView
from ...theming.platform import FindingRow, TenantView
from ..console.guards import operator
from ..forms import read_form
from ..guards import see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of

_MAX_REASON: Final = 300
_DONE: Final = frozenset({"suspended", "resumed", "created", "opened"})


def tenant_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """One tenant."""

    @get("/tenants/{slug:str}", guards=[operator])
    async def show(request: Handler, slug: FromPath[str]) -> Response[Any]:
        done = request.query_params.get("done", "")
        return await _show(pages, request, slug, done=done if done in _DONE else "")

    @post("/tenants/{slug:str}", guards=[operator])
    async def act(request: Handler, slug: FromPath[str]) -> Response[Any]:
        form, db, actor = await read_form(request), runtime_of(request).db, member_of(request).actor
        try:
            if form.raw("action") == "open":
                await open_any(db, runtime_of(request).vault, slug, actor=actor, port=pages.port)
                return see_other(f"/tenants/{slug}?done=opened")
            if form.raw("action") == "suspend":
                await flow.suspend_tenant(db, slug, form.line("reason", _MAX_REASON), actor)
                return see_other(f"/tenants/{slug}?done=suspended")
            if form.raw("action") == "resume":
                await flow.resume_tenant(db, slug, actor)
                return see_other(f"/tenants/{slug}?done=resumed")
        except InvalidForm as error:
            return await _show(pages, request, slug, form=form.view(error), status=error.status)
        except InvalidManifest as error:
            text = " ".join(problems_of(error.details).values())
            problem = InvalidForm({"": ("{text}", {"text": text})})
            return await _show(pages, request, slug, form=form.view(problem), status=problem.status)
        return see_other(f"/tenants/{slug}")

    @get("/tenants/{slug:str}/tenants.toml", guards=[operator])
    async def export(request: Handler, slug: FromPath[str]) -> Response[Any]:
        text = await export_state(runtime_of(request).db, slug)
        headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
        return Response(
            text,
            media_type="application/toml",
            headers={**headers, "content-disposition": f'attachment; filename="{slug}.toml"'},
        )

    return [show, act, export]


async def _show(
    pages: Pages, request: Handler, slug: str, *, done: str = "", form: FormView | None = None, status: int = 200
) -> Response[Any]:
    runtime = runtime_of(request)
    detail, complaints = await examine_tenant(runtime.db, slug)
    stand = next((one for one in (await look(runtime.db)).tenants if one.tenant.slug == slug), None)
    if stand is None:
        raise NotFound("There is no such tenant.")
    row = detail.view.tenant
    hosts = detail.view.hosts
    view = TenantView(
        slug=row.slug,
        name=row.name,
        state="suspended" if row.suspended_at is not None else row.status,
        reason=row.suspend_reason or "",
        theme=row.theme,
        timezone=row.timezone,
        hosts=tuple(hosts),
        url=public_url(hosts[0], runtime.snapshot.public_url, pages.port) if hosts else "",
        members=_members(detail),
        customers=stand.customers,
        settlement=stand.settlement,
        balance=stand.wallet.balance,
        reserved=stand.wallet.reserved,
        overdraft=stand.overdraft,
        low=stand.low,
        calls=stand.month.calls,
        retail=stand.month.retail,
        wholesale=stand.month.wholesale,
        cost=stand.month.cost,
        asked_at=_moment(row.review_asked_at),
        findings=tuple(_finding(one) for one in complaints),
        done=done,
        form=form or FormView(),
    )
    return pages.answer(request, "platform/tenant.html", view=view, status=status)


def _moment(at: int | None) -> dt.datetime | None:
    return None if at is None else dt.datetime.fromtimestamp(at // SECOND_US, dt.UTC)


def _members(detail: TenantDetail) -> tuple[tuple[str, str, str], ...]:
    return tuple((one.email, one.role, one.status) for one in detail.members if one.status != "removed")


def _finding(one: Complaint) -> FindingRow:
    return FindingRow(code=one.code, level=one.level, message=one.message, fix=one.fix)
