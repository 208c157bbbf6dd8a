"""The pages `/console/orders`: what customers buy, what waits for somebody, and the decisions on one order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.currency import format_minor
from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError, NotFound
from ...core.ids import is_public_id
from ...core.money import parse_amount
from ...core.offers import whole_cents
from ...core.order import STATES, UNPAID, allowed
from ...core.paging import Window
from ...core.roles import may
from ...core.times import SECOND_US
from ...db.orders import Order
from ...db.payment_refunds import Refund
from ...flows import orders as flow
from ...flows.order_shapes import shown_fact
from ...flows.orders import OrderDetail
from ...flows.payments import WantedRefund, left_to_refund
from ...flows.payments.findings import Finding, mistake_of, payment_findings
from ...flows.sales import month_of_sales, sales_csv
from ...theming.console_orders import (
    EventLine,
    FindingLine,
    OrderLine,
    OrderPageView,
    OrdersView,
    PaymentLine,
    RefundLine,
)
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of, storefront_of
from .guards import member_may

_PATH: Final = "/console/orders"
_PAGE: Final = 50
_MAX_NOTE: Final = 500
_MAX_SEARCH: Final = 254
_MAX_LEFT: Final = 24
_MAX_REFERENCE: Final = 200
_UNDER_WAY: Final = frozenset({"asked", "pending"})
_DONE: Final = frozenset({"approve", "reject", "refund"})
_REASONS: Final = ("goodwill", "duplicate_charge", "activation_failed", "billing_error")
_REFUNDS: Final[Mapping[str, str]] = {
    "duplicate_charge": "duplicate_charge",
    "duplicate_order": "duplicate_charge",
    "activation_failed": "activation_failed",
    "billing_error": "billing_error",
}
"""Code of a finding → the reason under which its payment goes back."""
Action = Callable[[Handler, str, Form], Awaitable[None]]


def order_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list, a page for each order, and a month's sales as CSV."""

    @get(_PATH, guards=[member_may("payments")])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @get(_PATH + "/{order_id:str}", guards=[member_may("payments")])
    async def one(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, order_id)

    @post(_PATH + "/{order_id:str}", guards=[member_may("payments", edit=True)])
    async def decide(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        form = await read_form(request)
        name = form.raw("action")
        action = _ACTIONS.get(name)
        _known(order_id)
        if action is None:
            return see_other(f"{_PATH}/{order_id}")
        try:
            await action(request, order_id, form)
        except (InvalidRequest, Conflict) as error:
            problem = error if isinstance(error, InvalidForm) else _problem(error)
            return await _show(pages, request, order_id, action=name, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}/{order_id}?done={name}")

    @get(f"{_PATH}/sales.csv", guards=[member_may("payments")])
    async def sales(request: Handler) -> Response[Any]:
        month = request.query_params.get("month", "")
        found = await month_of_sales(runtime_of(request).db, storefront_of(request).slug, month)
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="sales-{found.month}.csv"',
        }
        return Response(sales_csv(found), media_type="text/csv", headers=headers)

    return [look, sales, one, decide]


async def _approve(request: Handler, order_id: str, form: Form) -> None:
    member, runtime = member_of(request), runtime_of(request)
    note = form.line("note", _MAX_NOTE, needed=False)
    await flow.approve_order(
        runtime.db, runtime.ledger, order_id=order_id, note=note, actor=member.actor, tenant_id=member.tenant_id
    )


async def _reject(request: Handler, order_id: str, form: Form) -> None:
    member = member_of(request)
    reason = form.line("reason", _MAX_NOTE)
    await flow.reject_order(
        runtime_of(request).db, order_id=order_id, reason=reason, actor=member.actor, tenant_id=member.tenant_id
    )


async def _refund(request: Handler, order_id: str, form: Form) -> None:
    member, runtime = member_of(request), runtime_of(request)
    reason, typed = form.raw("why"), form.line("amount", 40, needed=False)
    if reason not in _REASONS:
        raise InvalidForm({"why": ("form.needed", {})})
    try:
        amount = parse_amount(typed) if typed else None
    except InvalidRequest as error:
        raise InvalidForm({"amount": ("{text}", {"text": error.message})}) from error
    wanted = WantedRefund(
        order_id=order_id,
        amount=amount,
        reason=reason,
        note=form.line("note", _MAX_NOTE, needed=False),
        actor=member.actor,
        payment_ref=form.line("payment", _MAX_REFERENCE, needed=False) or None,
        left=_left(form.raw("left")),
    )
    await flow.refund_order(runtime.db, runtime.ledger, runtime.providers, wanted, tenant_id=member.tenant_id)


def _left(sent: str) -> int:
    """What the page showed to be left; it is in the form, so a refund without it comes of no page."""
    try:
        return int(sent[:_MAX_LEFT])
    except ValueError as error:
        raise InvalidRequest("What is left to refund is not said.", fix="Open the order again.") from error


_ACTIONS: Final[Mapping[str, Action]] = {"approve": _approve, "reject": _reject, "refund": _refund}
"""What the page's forms name in their field `action`."""


async def _list(pages: Pages, request: Handler) -> Response[Any]:
    member, db, asked = member_of(request), runtime_of(request).db, request.query_params
    slug = storefront_of(request).slug
    state, customer = asked.get("state", ""), asked.get("customer", "").strip()[:_MAX_SEARCH]
    state = state if state in STATES else ""
    window = Window(_PAGE, asked.get("cursor") or None)
    problem, lines, older = "", tuple[OrderLine, ...](), ""
    try:
        found = await flow.list_orders(db, slug, window, customer=customer or None, state=state or None)
    except NotFound:
        problem = customer
    else:
        lines = tuple(_line(row.order, member.zone) for row in found.items)
        fields = {"state": state, "customer": customer, "cursor": found.next_cursor or ""}
        query = urlencode({name: value for name, value in fields.items() if value})
        older = f"{_PATH}?{query}" if found.next_cursor else ""
    view = OrdersView(
        lines=lines,
        findings=tuple(_finding(one) for one in await payment_findings(db, slug) if one.order or one.payment),
        states=STATES,
        state=state,
        customer=customer,
        problem=problem,
        older_url=older,
        newest=window.cursor is None,
    )
    return pages.answer(request, "console/orders.html", view=view)


async def _show(
    pages: Pages, request: Handler, order_id: str, *, action: str = "", form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member = member_of(request)
    _known(order_id)
    detail = await flow.show_order(runtime_of(request).db, order_id, member.tenant_id)
    done = request.query_params.get("done", "")
    view = _view(detail, member, action=action, form=form or FormView(), done=done if done in _DONE else "")
    return pages.answer(request, "console/order.html", view=view, status=status)


def _view(detail: OrderDetail, member: Member, *, action: str, form: FormView, done: str) -> OrderPageView:
    order = detail.order
    decides = may(member.role, "payments", edit=True)
    events = allowed(order.state, credited=order.lot_id is not None)
    paid = order.paid_at is not None and bool({"refund", "refund_part"} & events)
    waits = order.state in UNPAID or order.state == "review"
    by_hand = order.provider == "manual" or order.state in {"review", "activation_failed", "paid", "duplicate_paid"}
    return OrderPageView(
        line=_line(order, member.zone),
        package=order.package,
        version=order.version,
        credits=order.credits_nano,
        refunded=whole_cents(order.refunded_nano),
        reference=order.provider_ref or "",
        receipt=detail.receipt.label if detail.receipt else "",
        lapses=_moment(order.lapses_at, member.zone) if order.state in UNPAID else None,
        events=tuple(_event(line, member.zone) for line in detail.timeline),
        payments=_payments(detail, decides=decides),
        refunds=tuple(_back(one, member.zone) for one in detail.refunds if one.state != "superseded"),
        may_approve=decides and by_hand and ("pay" in events or "activate" in events),
        may_reject=decides and waits and "cancel" in events,
        refundable=order.price_nano - order.refunded_nano if decides and paid else 0,
        left=left_to_refund(order, detail.refunds),
        note=order.note,
        action=action,
        form=form,
        done=done,
    )


def _line(order: Order, zone: ZoneInfo) -> OrderLine:
    return OrderLine(
        id=order.id,
        title=order.title,
        customer=order.email,
        customer_id=order.customer_id,
        state=order.state,
        price=order.price_nano,
        at=_moment(order.created_at, zone),
        provider=order.provider,
    )


def _payments(detail: OrderDetail, *, decides: bool) -> tuple[PaymentLine, ...]:
    """What came; a payment in question can be given back as a whole, unless that is under way."""
    busy = {one.payment_ref for one in detail.refunds if one.state in _UNDER_WAY}
    return tuple(
        PaymentLine(
            ref=row.ref,
            amount=format_minor(int(row.state["total"]), str(row.state["currency"])),
            currency=str(row.state["currency"]),
            state=row.status,
            problem=row.problem,
            why=mistake_of(row.problem) if decides and row.problem and row.ref not in busy else "",
        )
        for row in detail.payments
    )


def _back(one: Refund, zone: ZoneInfo) -> RefundLine:
    return RefundLine(
        amount=format_minor(one.minor, one.currency),
        currency=one.currency,
        state=one.state,
        reason=one.reason,
        at=_moment(one.created_at, zone),
        error=one.error or "",
    )


def _event(line: Any, zone: ZoneInfo) -> EventLine:
    """A step; facts of nested shape are left to the export."""
    facts = tuple((name, shown_fact(name, value)) for name, value in line.facts.items() if isinstance(value, str | int))
    who = line.actor.partition(":")[2] if line.actor.startswith("member:") else ""
    return EventLine(event=line.event, state=line.after, at=_moment(line.created_at, zone), who=who, facts=facts)


def _finding(one: Finding) -> FindingLine:
    return FindingLine(
        code=one.code,
        order=one.order,
        payment=one.payment,
        customer=one.customer,
        amount=one.amount,
        currency=one.currency,
        refund=_REFUNDS.get(one.code, ""),
    )


def _known(order_id: str) -> None:
    if not is_public_id(order_id, "ord"):
        raise NotFound("There is no such order.")


def _problem(error: KitError) -> InvalidForm:
    return InvalidForm({"": ("{text}", {"text": error.message})})


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return local(at - at % SECOND_US, zone)
