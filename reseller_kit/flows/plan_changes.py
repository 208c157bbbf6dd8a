"""What a larger plan adds within a period: an order of its own, made once the difference is paid. Credits nothing.

The provider tells of the plan and of the payment as two things, in any order; whichever comes second finds the other.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..core.ids import new_id
from ..core.offers import terms_digest
from ..core.payment import Payment
from ..core.times import DAY_US
from ..db import order_settling, orders, packages, payment_facts, subscriptions
from ..db.engine import Connection, now_us
from ..db.payment_facts import FactRow
from ..db.subscriptions import Subscription
from .subscription_periods import UPGRADE, renewed_facts

_ACTOR: Final = "subscription"
_NANO_PER_CENT: Final = 10_000_000


async def pair_changes(
    connection: Connection, tenant_id: int, provider: str, subscription_ref: str | None, payment_ref: str | None = None
) -> set[str]:
    """Bring a subscription's payments of larger plans, or one of them, to their orders, in the caller's transaction.

    The ids of the orders; they have more to be settled. Payments are locked before orders are, as everywhere.
    """
    if subscription_ref is None:
        return set()
    found = await subscriptions.of_ref(connection, tenant_id, provider, subscription_ref)
    if found is None or not (found.pin or {}).get("added"):
        return set()
    paired = set()
    for row in await payment_facts.of_subscription(connection, tenant_id, provider, subscription_ref):
        if _waits(row) and payment_ref in {None, row.ref}:
            order_id = await _pair(connection, found, row.ref)
            paired |= set() if order_id is None else {order_id}
    return paired


async def _pair(connection: Connection, found: Subscription, ref: str) -> str | None:
    row = await payment_facts.find(connection, found.tenant_id, found.provider, "payment", ref, lock=True)
    if row is None or not _waits(row):
        return None
    payment = msgspec.convert(row.state, Payment)
    added = _paid_for(found, payment)
    if added is None:
        return None
    order_id = await _order(connection, found, added, payment)
    await payment_facts.bind(connection, found.tenant_id, row.id, order_id)
    await payment_facts.bind_adjustments(connection, found.tenant_id, found.provider, ref, order_id)
    await order_settling.bump(connection, found.tenant_id, order_id)
    return order_id


def _waits(row: FactRow) -> bool:
    paid = row.kind == "payment" and row.order_id is None and row.status == "completed"
    return paid and row.state["origin"] == "change"


def _paid_for(found: Subscription, payment: Payment) -> dict[str, Any] | None:
    """Which change a payment is for: the latest to that price that it does not precede, else the first."""
    named = {item.price_ref for item in payment.items}
    fitting = [one for one in (found.pin or {})["added"] if one["price_ref"] in named]
    before = [one for one in fitting if one["at"] <= payment.occurred_at]
    return before[-1] if before else next(iter(fitting), None)


async def _order(connection: Connection, found: Subscription, added: dict[str, Any], payment: Payment) -> str:
    """The order of one change, made if there is none yet. What it costs is what its provider took for it."""
    tenant_id = found.tenant_id
    key = f"{UPGRADE}{found.id}:{added['starts_at']}:{added['package_id']}"
    known = await orders.find_request(connection, tenant_id, found.customer_id, key)
    if known is not None:
        return known.id
    offer = await packages.version(connection, tenant_id, added["package_id"])
    bought = await orders.find(connection, tenant_id, found.order_id)
    if offer is None or bought is None:
        raise LookupError(f"{found.id} names a package or order that is not there")
    price = added["price_nano"]
    if payment.currency == added["currency"]:
        price = max(0, payment.subtotal - payment.discount) * _NANO_PER_CENT
    now = now_us()
    row = {
        "id": new_id("ord"),
        "customer_id": found.customer_id,
        "package_id": offer.id,
        "provider": found.provider,
        "provider_ref": payment.ref,
        "provider_facts": renewed_facts(
            bought, {"price_ref": added["price_ref"], "currency": added["currency"], "subtotal": None}
        ),
        "price_nano": price,
        "credits_nano": added["credits_nano"],
        "terms_hash": terms_digest(offer.code, offer.version, offer.terms),
        "request_key": key,
        "created_at": now,
        "lapses_at": now + DAY_US,
        "subscription_id": found.id,
        "period_ends_at": added["ends_at"],
    }
    if await orders.add(connection, tenant_id, row, _ACTOR):
        return str(row["id"])
    made = await orders.find_request(connection, tenant_id, found.customer_id, key)
    if made is None:
        raise LookupError(f"the order {key} was made and is not there")
    return made.id
