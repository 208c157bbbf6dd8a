"""Somebody's word on a payment: it came outside, it buys what was ordered, or it does not. Moves no credit.

What is said is kept with the payment, as what a provider tells is; the order follows.
"""

from __future__ import annotations

from ...db import order_settling, payment_facts
from ...db.engine import Connection, now_us
from ...db.orders import Order
from ...payments import Manual
from .shapes import manual_payment
from .take import store


async def accept(connection: Connection, order: Order, *, actor: str, note: str) -> bool:
    """The order is paid: by the payments that came for it, or by one outside. False when that was said before.

    In the caller's transaction, which has not locked the order: facts are locked before orders.
    """
    rows = await payment_facts.of_order(connection, order.tenant_id, order.id)
    came = [row.id for row in rows if row.kind == "payment" and row.status == "completed"]
    if not came:
        await store(connection, order.tenant_id, Manual.name, manual_payment(order, now_us()))
        found = await payment_facts.find(connection, order.tenant_id, Manual.name, "payment", order.id)
        if found is None:
            raise LookupError(f"the payment of {order.id} was stored and is not there")
        came = [found.id]
    said = await payment_facts.decide(connection, order.tenant_id, came, "accepted", actor=actor, note=note)
    await order_settling.bump(connection, order.tenant_id, order.id)
    return said


async def dismiss(connection: Connection, order: Order, *, actor: str, note: str) -> None:
    """What came for the order is no payment of it; in a transaction that has not locked the order."""
    rows = await payment_facts.of_order(connection, order.tenant_id, order.id)
    came = [row.id for row in rows if row.kind == "payment"]
    if came:
        await payment_facts.decide(connection, order.tenant_id, came, "dismissed", actor=actor, note=note)
        await order_settling.bump(connection, order.tenant_id, order.id)
