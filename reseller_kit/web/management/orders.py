"""Orders and vouchers for the management API: thin handlers over the flows of the console."""

from __future__ import annotations

from typing import Final, TypedDict

from msgspec import Struct

from ...core.errors import InvalidRequest
from ...core.money import parse_amount
from ...core.order import STATES
from ...core.trail import author_of
from ...db.engine import now_us
from ...flows import documents as doc
from ...flows import orders, shapes, vouchers
from ...flows.order_shapes import order, order_detail
from ...flows.orders import OrderDetail
from ...flows.vouchers import VoucherTerms
from .customers import text
from .endpoint import PAGE, Call, Endpoint, time_of

_MAX_NOTE: Final = 500


class Approval(Struct, frozen=True, forbid_unknown_fields=True):
    """What to note beside the order."""

    note: str = ""


class Rejection(Struct, frozen=True, forbid_unknown_fields=True):
    """Why; the customer reads it."""

    reason: str


class NewVouchers(Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of vouchers. `valid_days`: how long the credit lasts; `expires`: until when it can be redeemed."""

    amount: str
    count: int = 1
    batch: str | None = None
    valid_days: int | None = None
    expires: str | None = None
    models: tuple[str, ...] = ()
    max_redemptions: int = 1


class Orders(TypedDict):
    """A page of orders."""

    orders: list[doc.Order]
    next_cursor: str | None


class Vouchers(TypedDict):
    """A page of vouchers."""

    vouchers: list[doc.Voucher]
    next_cursor: str | None


async def _orders(call: Call) -> Orders:
    state = call.query.get("status")
    if state is not None and state not in STATES:
        raise InvalidRequest("There is no such status.", param="status", fix=f"One of {', '.join(STATES)}.")
    customer = call.query.get("customer") or None
    page = await orders.list_orders(call.db, call.slug, call.window(), customer=customer, state=state)
    return {"orders": [order(row.order, row.tenant) for row in page.items], "next_cursor": page.next_cursor}


async def _order(call: Call) -> doc.OrderDetail:
    return _detail(await orders.show_order(call.db, call.path["order"], call.tenant_id))


async def _approve(call: Call) -> doc.OrderDetail:
    body: Approval = call.body
    note = text(body.note, "note", _MAX_NOTE, needed=False)
    return _detail(
        await orders.approve_order(
            call.db,
            call.runtime.ledger,
            order_id=call.path["order"],
            note=note,
            actor=call.actor,
            tenant_id=call.tenant_id,
        )
    )


async def _reject(call: Call) -> doc.OrderDetail:
    body: Rejection = call.body
    reason = text(body.reason, "reason", _MAX_NOTE)
    return _detail(
        await orders.reject_order(
            call.db, order_id=call.path["order"], reason=reason, actor=call.actor, tenant_id=call.tenant_id
        )
    )


def _detail(detail: OrderDetail) -> doc.OrderDetail:
    """An order as its storefront reads it: the operator's people have no names here."""
    document = order_detail(detail)
    for line in document["timeline"]:
        author, who = author_of(line["actor"])
        line["actor"] = f"{author}:{who}" if who else author
    return document


async def _vouchers(call: Call) -> Vouchers:
    page = await vouchers.list_vouchers(call.db, call.slug, call.query.get("batch") or None, call.window())
    now = now_us()
    return {"vouchers": [shapes.voucher(row, now) for row in page.items], "next_cursor": page.next_cursor}


async def _create_vouchers(call: Call) -> Vouchers:
    body: NewVouchers = call.body
    terms = VoucherTerms(
        amount=parse_amount(body.amount),
        valid_days=body.valid_days,
        expires_at=time_of(body.expires, "expires"),
        models=body.models,
        max_redemptions=body.max_redemptions,
    )
    batch = None if body.batch is None else text(body.batch, "batch", 80)
    made = await vouchers.create_vouchers(
        call.db, call.vault, tenant_slug=call.slug, terms=terms, count=body.count, batch=batch, actor=call.actor
    )
    now = now_us()
    return {"vouchers": [shapes.voucher(one.row, now, one.code) for one in made], "next_cursor": None}


async def _revoke_voucher(call: Call) -> doc.Voucher:
    row = await vouchers.revoke_voucher(call.db, call.path["voucher"], call.slug, call.actor)
    return shapes.voucher(row, now_us())


ORDERS: Final = (
    Endpoint(
        method="GET",
        path="/orders",
        scope="orders",
        summary="Orders, newest first.",
        handle=_orders,
        query=("customer", "status", *PAGE),
    ),
    Endpoint(
        method="GET", path="/orders/{order}", scope="orders", summary="One order, with its history.", handle=_order
    ),
    Endpoint(
        method="POST",
        path="/orders/{order}/approve",
        scope="orders",
        summary="The payment arrived: credit the order.",
        handle=_approve,
        body=Approval,
    ),
    Endpoint(
        method="POST",
        path="/orders/{order}/reject",
        scope="orders",
        summary="Close an order that nobody paid.",
        handle=_reject,
        body=Rejection,
    ),
    Endpoint(
        method="GET",
        path="/vouchers",
        scope="credits",
        summary="Vouchers without their codes, newest first.",
        handle=_vouchers,
        query=("batch", *PAGE),
    ),
    Endpoint(
        method="POST",
        path="/vouchers",
        scope="credits",
        summary="Make a batch of vouchers. The codes are shown in this answer alone.",
        handle=_create_vouchers,
        body=NewVouchers,
        status=201,
    ),
    Endpoint(
        method="POST",
        path="/vouchers/{voucher}/revoke",
        scope="credits",
        summary="Refuse a voucher from now on.",
        handle=_revoke_voucher,
    ),
)
