"""Whoever is paid says what became of an order: approved, rejected, refunded, or not paid in time."""

from __future__ import annotations

from ...core.order import CREDITED, UNPAID, transition
from ...db import operator_orders, order_settling, orders
from ...db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ...db.ledger import LedgerWriter
from ..order_steps import change, mail, record, require_order, tenant_of
from ..payments import WantedRefund, accept, dismiss, request_refund, settle_order
from ..providers import Providers
from ..tenants import named_tenant
from .look import OrderDetail, show_order


async def approve_order(
    db: Database, ledger: LedgerWriter, *, order_id: str, note: str, actor: str, tenant_id: int | None = None
) -> OrderDetail:
    """The payment arrived: credit the order. Repeating is harmless. Raises Conflict for one that can't be paid.

    Here and below, `tenant_id` is whose orders the actor may decide on; None is the operator, who may decide on all.
    """
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.write(NO_TENANT) as connection:
        tenant = await named_tenant(connection, slug)
        order = await require_order(connection, tenant.id, order_id)
        if order.state in {"paid", "activation_failed"}:
            await order_settling.bump(connection, tenant.id, order.id)
        elif order.state not in CREDITED and await accept(connection, order, actor=actor, note=note):
            await record(connection, order, actor, "order.approve", {"note": note})
    await settle_order(db, ledger, tenant_id=tenant.id, order_id=order_id, actor=actor)
    return await show_order(db, order_id, tenant_id)


async def reject_order(
    db: Database, *, order_id: str, reason: str, actor: str, tenant_id: int | None = None
) -> OrderDetail:
    """No payment arrived: close the order, with a reason that the customer reads. Raises Conflict for a paid one."""
    slug = await tenant_of(db, order_id, tenant_id)
    async with db.write(NO_TENANT) as connection:
        tenant = await named_tenant(connection, slug)
        seen = await require_order(connection, tenant.id, order_id)
        if seen.state == "review":
            await dismiss(connection, seen, actor=actor, note=reason)
        order = await require_order(connection, tenant.id, order_id, lock=True)
        if order.state != "cancelled":
            made, now = transition(order.state, "cancel"), now_us()
            await change(connection, order, made, actor, facts={"reason": reason}, note=reason, cancelled_at=now)
            await record(connection, order, actor, "order.reject", {"reason": reason})
            await mail(connection, order, "order_rejected", {"reason": reason}, now)
    return await show_order(db, order_id, tenant_id)


async def refund_order(
    db: Database, ledger: LedgerWriter, providers: Providers, wanted: WantedRefund, *, tenant_id: int | None = None
) -> OrderDetail:
    """Give a payment, or a part of it, back, and take the share of its credit; what was spent already becomes debt.

    Raises InvalidRequest for more than is left of the payment or what its provider refuses, Conflict for an order
    without a payment.
    """
    slug = await tenant_of(db, wanted.order_id, tenant_id)
    async with db.read(NO_TENANT) as connection:
        tenant = await named_tenant(connection, slug)
    await request_refund(db, ledger, providers, tenant.id, wanted)
    return await show_order(db, wanted.order_id, tenant_id)


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
