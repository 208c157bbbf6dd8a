"""A subscription's periods: each paid one is an order of its own, made once. Credits nothing.

A renewal may be told of before the payment that it renews; it waits unmatched until that is known.
"""

from __future__ import annotations

from typing import TypeGuard

from ...core.ids import new_id
from ...core.payment import Fact, Payment
from ...core.times import DAY_US
from ...db import orders, payment_facts
from ...db.engine import Connection
from ...db.orders import Order
from ...db.payment_facts import FactRow
from ..subscription_periods import RENEWAL, next_period
from .shapes import fact_of

_ACTOR = "renewal"


async def renewal_order(
    connection: Connection, tenant_id: int, provider: str, payment: Payment, now: int
) -> str | None:
    """The order of the period that a payment renews, made if there is none yet; None while nobody bought that.

    A period is named by its beginning: paid twice, it is one order with a payment too many.
    """
    if payment.subscription_ref is None:
        return None
    bought = await _bought(connection, tenant_id, provider, payment.subscription_ref)
    if bought is None:
        return None
    period = payment.ref if payment.period_starts_at is None else payment.period_starts_at
    key = f"{RENEWAL}{provider}:{payment.subscription_ref}:{period}"
    known = await orders.find_request(connection, tenant_id, bought.customer_id, key)
    if known is not None:
        return known.id
    row = {
        "id": new_id("ord"),
        **await next_period(connection, bought, payment),
        "customer_id": bought.customer_id,
        "provider": provider,
        "provider_ref": payment.ref,
        "request_key": key,
        "created_at": now,
        "lapses_at": now + DAY_US,
    }
    if await orders.add(connection, tenant_id, row, _ACTOR):
        return str(row["id"])
    made = await orders.find_request(connection, tenant_id, bought.customer_id, key)
    return None if made is None else made.id


async def late_renewals(
    connection: Connection, tenant_id: int, provider: str, subscription_ref: str | None, now: int
) -> set[str]:
    """Orders for the renewals that waited for their subscription to be known; their ids."""
    made: set[str] = set()
    if subscription_ref is None:
        return made
    for row in await payment_facts.of_subscription(connection, tenant_id, provider, subscription_ref):
        payment = fact_of(row)
        if row.order_id is None and row.status == "completed" and _renews(payment):
            order_id = await renewal_order(connection, tenant_id, provider, payment, now)
            if order_id is not None and await payment_facts.bind(connection, tenant_id, row.id, order_id):
                await payment_facts.bind_adjustments(connection, tenant_id, provider, row.ref, order_id)
                made.add(order_id)
    return made


async def _bought(connection: Connection, tenant_id: int, provider: str, subscription_ref: str) -> Order | None:
    """The order that the subscription began with: the one that its first payment, or it itself, belongs to."""
    rows = await payment_facts.of_subscription(connection, tenant_id, provider, subscription_ref)
    first = min((row for row in rows if row.order_id is not None), key=_age, default=None)
    return None if first is None or first.order_id is None else await orders.find(connection, tenant_id, first.order_id)


def _age(row: FactRow) -> tuple[bool, int]:
    """What was bought comes before what renews it."""
    return _renews(fact_of(row)), row.id


def _renews(fact: Fact) -> TypeGuard[Payment]:
    return isinstance(fact, Payment) and fact.origin == "renewal"
