"""The pages `/console/customers`: find a customer, see it whole, and what its storefront's team may do for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from ...core.errors import Conflict, InsufficientCredit, InvalidForm, InvalidRequest, KitError, NotFound
from ...core.ids import is_public_id
from ...core.money import parse_amount
from ...core.paging import Window
from ...core.roles import may
from ...db.customer_desk import Search
from ...flows import credits as credit_flow
from ...flows import customer_desk as desk
from ...flows import customers as flow
from ...flows import grants, keys
from ...flows.identity.visit import MAX_EMAIL, MAX_NAME
from ...theming.console_customers import CustomersView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of, storefront_of
from .customer_rows import customer_line, customer_view
from .dates import day_of_field
from .guards import member_may

PATH: Final = "/console/customers"
_PAGE: Final = 50
_MAX_TEXT: Final = 200
_MAX_AMOUNT: Final = 40
_STATUSES: Final = frozenset({"active", "suspended", "closing"})
_DONE: Final = frozenset({"grant", "adjust", "suspend", "resume", "group", "note", "revoke"})
Action = Callable[[Handler, str, Form], Awaitable[None]]


def customer_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list, its export, and a page for each customer."""

    @get(PATH, guards=[member_may("customers")])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(PATH, guards=[member_may("customers", edit=True)])
    async def create(request: Handler) -> Response[Any]:
        form, member, runtime = await read_form(request), member_of(request), runtime_of(request)
        try:
            made = await flow.create_customer(
                runtime.db,
                runtime.vault,
                tenant_slug=storefront_of(request).slug,
                email=form.line("email", MAX_EMAIL),
                name=form.line("name", MAX_NAME, needed=False),
                actor=member.actor,
                port=pages.port,
            )
        except (InvalidRequest, Conflict) as error:
            problem = _problem(error, "email")
            return await _list(pages, request, form=form.view(problem), status=problem.status)
        return await _list(pages, request, made=made.customer.email, link=made.link or "")

    @get(f"{PATH}/export.csv", guards=[member_may("customers")])
    async def export(request: Handler) -> Stream:
        wanted = _search(request)
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "content-disposition": 'attachment; filename="customers.csv"',
        }
        rows = desk.customers_csv(runtime_of(request).db, member_of(request).tenant_id, wanted)
        return Stream(rows, media_type="text/csv", headers=headers)

    @get(PATH + "/{customer_id:str}", guards=[member_may("customers")])
    async def one(request: Handler, customer_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, customer_id)

    @post(PATH + "/{customer_id:str}", guards=[member_may("customers", edit=True)])
    async def act(request: Handler, customer_id: FromPath[str]) -> Response[Any]:
        return await _act(pages, request, customer_id, _ACTIONS)

    @post(PATH + "/{customer_id:str}/credit", guards=[member_may("credit", edit=True)])
    async def credit(request: Handler, customer_id: FromPath[str]) -> Response[Any]:
        return await _act(pages, request, customer_id, _CREDIT_ACTIONS)

    return [look, create, export, one, act, credit]


async def _act(pages: Pages, request: Handler, customer_id: str, actions: Mapping[str, Action]) -> Response[Any]:
    form = await read_form(request)
    name = form.raw("action")
    action = actions.get(name)
    if not is_public_id(customer_id, "cus"):
        raise NotFound("There is no such customer.")
    if action is None:
        return see_other(f"{PATH}/{customer_id}")
    try:
        await action(request, customer_id, form)
    except (InvalidRequest, Conflict, InsufficientCredit) as error:
        return await show_customer(pages, request, customer_id, form, error, action=name)
    return see_other(f"{PATH}/{customer_id}?done={name}")


async def show_customer(
    pages: Pages, request: Handler, customer_id: str, form: Form, error: KitError, *, action: str
) -> Response[Any]:
    """The customer's page again, with what is wrong with one of its forms."""
    problem = _problem(error, "")
    return await _show(pages, request, customer_id, action=action, form=form.view(problem), status=problem.status)


async def _grant(request: Handler, customer_id: str, form: Form) -> None:
    await grants.grant_credit(
        runtime_of(request).db,
        tenant_slug=storefront_of(request).slug,
        customer=customer_id,
        amount=_amount(form),
        reason=form.line("reason", _MAX_TEXT),
        terms=grants.GrantTerms(expires_at=_day(request, form, "expires")),
        idempotency_key=_once(form),
        actor=member_of(request).actor,
    )


async def _adjust(request: Handler, customer_id: str, form: Form) -> None:
    await credit_flow.adjust_credit(
        runtime_of(request).db,
        tenant_slug=storefront_of(request).slug,
        customer=customer_id,
        amount=_amount(form, signed=True),
        reason=form.line("reason", _MAX_TEXT),
        idempotency_key=_once(form),
        actor=member_of(request).actor,
    )


async def _suspend(request: Handler, customer_id: str, form: Form) -> None:
    reason, until = form.line("reason", _MAX_TEXT), _day(request, form, "until")
    slug, actor = storefront_of(request).slug, member_of(request).actor
    await flow.suspend_customer(runtime_of(request).db, slug, customer_id, reason, actor, until=until)


async def _resume(request: Handler, customer_id: str, _: Form) -> None:
    db, actor = runtime_of(request).db, member_of(request).actor
    await flow.resume_customer(db, storefront_of(request).slug, customer_id, actor)


async def _group(request: Handler, customer_id: str, form: Form) -> None:
    db, slug = runtime_of(request).db, storefront_of(request).slug
    await flow.set_customer_group(db, slug, customer_id, form.raw("group")[:80] or None, member_of(request).actor)


async def _note(request: Handler, customer_id: str, form: Form) -> None:
    member = member_of(request)
    await desk.note_customer(
        runtime_of(request).db, member.tenant_id, customer_id, form.raw("body"), actor=member.actor
    )


async def _revoke(request: Handler, customer_id: str, form: Form) -> None:
    db, slug, actor = runtime_of(request).db, storefront_of(request).slug, member_of(request).actor
    await keys.revoke_key(db, form.raw("key")[:80], slug, actor, customer_id=customer_id)


_ACTIONS: Final[Mapping[str, Action]] = {
    "suspend": _suspend,
    "resume": _resume,
    "note": _note,
    "revoke": _revoke,
}
_CREDIT_ACTIONS: Final[Mapping[str, Action]] = {"grant": _grant, "adjust": _adjust, "group": _group}
"""What the page's forms name in their field `action`."""


def _amount(form: Form, *, signed: bool = False) -> int:
    try:
        return parse_amount(form.line("amount", _MAX_AMOUNT), negative=signed)
    except InvalidForm:
        raise
    except InvalidRequest as error:
        raise InvalidForm({"amount": ("{text}", {"text": error.message})}) from error


def _day(request: Handler, form: Form, name: str) -> int | None:
    """The end of a day that was typed, None for none."""
    typed = form.line(name, 10, needed=False)
    at = day_of_field(typed, member_of(request).zone, after=True)
    if typed and at is None:
        raise InvalidForm({name: ("{text}", {"text": "Write days like 2026-01-31."})})
    return at


def _once(form: Form) -> str | None:
    """What the page's form was named when it was shown: sent twice, it is one movement."""
    key = form.raw("request_key")
    return f"console:{key[:64]}" if key.isascii() and key.isprintable() and key.strip() else None


def _search(request: Handler) -> Search:
    asked = request.query_params
    status = asked.get("status", "")
    return Search(
        text=asked.get("q", "").strip()[:_MAX_TEXT],
        status=status if status in _STATUSES else None,
        group_id=asked.get("group", "")[:80] or None,
        owing=bool(asked.get("owing")),
    )


async def _list(
    pages: Pages, request: Handler, *, form: FormView | None = None, made: str = "", link: str = "", status: int = 200
) -> Response[Any]:
    member, wanted = member_of(request), _search(request)
    window = Window(_PAGE, request.query_params.get("cursor") or None)
    found = await desk.find_customers(runtime_of(request).db, member.tenant_id, wanted, window)
    fields = {
        "q": wanted.text,
        "status": wanted.status or "",
        "group": wanted.group_id or "",
        "owing": "1" if wanted.owing else "",
    }
    query = urlencode({name: value for name, value in fields.items() if value})
    older = urlencode({**{n: v for n, v in fields.items() if v}, "cursor": found.next_cursor or ""})
    view = CustomersView(
        lines=tuple(customer_line(row.found, row.spent, member) for row in found.items),
        groups=_groups(request),
        text=wanted.text,
        status=wanted.status or "",
        group=wanted.group_id or "",
        owing=wanted.owing,
        query=query,
        older_url=f"{PATH}?{older}" if found.next_cursor else "",
        newest=window.cursor is None,
        may_create=may(member.role, "customers", edit=True),
        may_group=may(member.role, "prices"),
        form=form or FormView(),
        made=made,
        link=link,
    )
    return pages.answer(request, "console/customers.html", view=view, status=status)


async def _show(
    pages: Pages,
    request: Handler,
    customer_id: str,
    *,
    action: str = "",
    form: FormView | None = None,
    status: int = 200,
) -> Response[Any]:
    member = member_of(request)
    detail = await desk.customer_detail(runtime_of(request).db, member.tenant_id, customer_id)
    done = request.query_params.get("done", "")
    view = customer_view(detail, member, _groups(request), action, form or FormView(), done if done in _DONE else "")
    return pages.answer(request, "console/customer.html", view=view, status=status)


def _groups(request: Handler) -> tuple[str, ...]:
    return tuple(group["id"] for group in storefront_of(request).settings.get("groups", ()))


def _problem(error: KitError, field: str) -> InvalidForm:
    return error if isinstance(error, InvalidForm) else InvalidForm({field: ("{text}", {"text": error.message})})
