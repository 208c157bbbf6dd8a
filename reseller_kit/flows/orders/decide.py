"""Whoever is paid says what became of an order: approved, rejected, refunded, or not paid in time."""

from __future__ import annotations

from ...core.errors import Conflict, InvalidRequest
from ...core.money import format_amount
from ...core.order import CREDITED, UNPAID, Transition, refund_event, transition
from ...db import operator_orders, orders
from ...db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ...db.ledger import LedgerWriter
from ...db.orders import Order
from ..fulfil import fulfil
from ..refunds import Payment, claw_back
from ..tenants import require_tenant
from .look import OrderDetail, show_order
from .steps import change, mail, record, require_order, tenant_of


async def approve_order(
    db: Database, ledger: LedgerWriter, *, order_id: str, note: str, actor: str, tenant_id: int | None = None
) -> OrderDetail:
    """The payment arrived: credit the order. Repeating is harmless. Raises Conflict for one that can't be paid.

    Here and below, `tenant_id` is whose orders the actor may decide on; None is the operator, who may decide on all.
    """
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        order = await require_order(connection, tenant.id, order_id, lock=True)
        if order.state not in CREDITED | {"paid", "activation_failed"}:
            now = now_us()
            made = transition(order.state, "pay")
            await change(connection, order, made, actor, facts={"note": note} if note else {}, paid_at=now)
            if made.after == "review":
                # Given up before: whoever approves has looked, which is what review asks for.
                await change(connection, order, transition("review", "pay"), actor)
            await record(connection, order, actor, "order.approve", {"note": note})
    await fulfil(db, ledger, tenant_id=tenant.id, order_id=order_id, actor=actor)
    return await show_order(db, order_id, tenant_id)


async def reject_order(
    db: Database, *, order_id: str, reason: str, actor: str, tenant_id: int | None = None
) -> OrderDetail:
    """No payment arrived: close the order, with a reason that the customer reads. Raises Conflict for a paid one."""
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        order = await require_order(connection, tenant.id, order_id, lock=True)
        if order.state != "cancelled":
            made = transition(order.state, "cancel")
            await change(connection, order, made, actor, facts={"reason": reason}, note=reason)
            await record(connection, order, actor, "order.reject", {"reason": reason})
            await mail(connection, order, "order_rejected", {"reason": reason}, now_us())
    return await show_order(db, order_id, tenant_id)


async def refund_order(
    db: Database,
    ledger: LedgerWriter,
    *,
    order_id: str,
    amount: int | None,
    reason: str,
    note: str,
    actor: str,
    tenant_id: int | None = None,
) -> OrderDetail:
    """Note that a payment, or `amount` nano-USD of it, was given back outside, and take the share of its credit.

    What was spent already becomes debt. Raises InvalidRequest for more than is left of the payment, Conflict for an
    order without a payment.
    """
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        order = await require_order(connection, tenant.id, order_id)
    refunded = _refunded(order, amount)
    made = transition(order.state, refund_event(order.price_nano, refunded), credited=order.lot_id is not None)
    if order.lot_id is not None and order.price_nano:
        payment = Payment(paid=order.price_nano, refunded=refunded)
        await claw_back(db, ledger, tenant.id, order.lot_id, payment, ref=order.id)
    facts = {"amount": format_amount(refunded - order.refunded_nano), "reason": reason, "note": note}
    try:
        await _note_refund(db, order, made, actor, facts, refunded)
    except Conflict:
        await _agree(db, ledger, order)
        raise
    return await show_order(db, order_id, tenant_id)


async def _note_refund(
    db: Database, order: Order, made: Transition, actor: str, facts: dict[str, str], refunded: int
) -> None:
    async with db.write(order.tenant_id) as connection:
        current = await require_order(connection, order.tenant_id, order.id, lock=True)
        if (current.state, current.refunded_nano) != (order.state, order.refunded_nano):
            raise Conflict("The order changed meanwhile.", fix="Look at it, then refund what is left.")
        await change(connection, order, made, actor, facts=facts, refunded_nano=refunded)
        await record(connection, order, actor, "order.refund", facts)
        await mail(connection, order, "order_refunded", {"amount": facts["amount"]}, now_us())


async def _agree(db: Database, ledger: LedgerWriter, order: Order) -> None:
    """Somebody else's refund stands: what ours took of the credit goes back to what the order says."""
    async with db.read(order.tenant_id) as connection:
        current = await require_order(connection, order.tenant_id, order.id)
    if current.lot_id is not None and current.price_nano:
        payment = Payment(paid=current.price_nano, refunded=current.refunded_nano)
        await claw_back(db, ledger, current.tenant_id, current.lot_id, payment, ref=current.id)


async def lapse_orders(db: Database) -> int:
    """Close up to 100 orders that nobody paid in time; how many. Safe to run in several processes."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        waiting = await operator_orders.overdue_orders(connection, now, 100)
    lapsed = 0
    for one in waiting:
        async with db.write(one.tenant_id) as connection:
            order = await orders.find(connection, one.tenant_id, one.id, lock=True)
            if order is not None and order.state in UNPAID and order.lapses_at <= now:
                await change(connection, order, transition(order.state, "lapse"), "sweep")
                lapsed += 1
    return lapsed


def _refunded(order: Order, amount: int | None) -> int:
    left = order.price_nano - order.refunded_nano
    if amount is None and left > 0:
        return order.price_nano
    if amount is None or not 0 < amount <= left:
        raise InvalidRequest(
            f"{format_amount(left)} USD of the payment are left to refund.",
            param="amount",
            fix="Give an amount above 0 and up to that, or none for all of it." if left else "Nothing is left to do.",
        )
    return order.refunded_nano + amount
