"""Which period of which subscription an order is: begun with the first one, moved on by each that is credited.

Credits nothing and asks no provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from ..core.ids import new_id
from ..core.money import parse_amount
from ..core.offers import roll_over_of, terms_digest
from ..core.payment import Payment
from ..core.payment import Subscription as Fact
from ..core.subscription import STATE_OF, boundary, expiry, transition
from ..core.times import DAY_US
from ..db import operator, orders, outbox, packages, payment_facts, subscriptions
from ..db.engine import Connection, Database, now_us
from ..db.orders import Order
from ..db.payment_facts import FactRow
from ..db.subscriptions import Subscription
from ..db.tenants import Tenant
from . import events
from .brand import told_moment

RENEWAL: Final = "renewal:"
"""What the request keys of orders begin with that nobody placed: the periods after the first."""
UPGRADE: Final = "upgrade:"
"""And those of orders of the credit that a larger plan adds within a period; its provider took the difference."""


_EVENTS: Final[Mapping[str, str]] = {
    "subscription_failed": "subscription.past_due",
    "subscription_cancelled": "subscription.cancelled",
    "subscription_ended": "subscription.ended",
}
"""What a mail to the subscriber is to the team's own systems."""


class Period(Struct, frozen=True, kw_only=True):
    """What a subscription's order is granted under: once a period, until `expires_at` (µs)."""

    operation: str
    key: str
    expires_at: int


async def period_of(db: Database, order: Order) -> Period | None:
    """The period that a paid order is; None for an order of anything else.

    The first order begins the subscription, before it is credited: whatever dies in between, its period stays the same.
    """
    if order.kind != "subscription":
        return None
    bound = order
    if order.subscription_id is None:
        async with db.write(order.tenant_id) as connection:
            bound = await begin(connection, order)
    async with db.read(order.tenant_id) as connection:
        zone = ZoneInfo((await tenant_of(connection, order.tenant_id)).timezone)
    ends_at = bound.period_ends_at or now_us()
    expires_at = credit_expiry(bound.terms, bound.period_starts_at or now_us(), ends_at, zone)
    if expires_at <= now_us():
        # Paid when its own time was over: as long as a period, from now on.
        expires_at = boundary(now_us(), bound.terms["period"], 1, zone)
    if bound.period_starts_at is None:
        # A change within a period: an order of its own, whose credit ends as the period's.
        return Period(operation="order", key=order.id, expires_at=expires_at)
    key = f"{bound.subscription_id}:{bound.period_starts_at}"
    return Period(operation="subscription", key=key, expires_at=expires_at)


def credit_expiry(terms: Mapping[str, Any], starts_at: int, ends_at: int, zone: ZoneInfo) -> int:
    """When a period's credit runs out, by its terms: days of its own, or with its period and what rolls over."""
    days = terms.get("valid_days")
    if days is not None:
        return starts_at + int(days) * DAY_US
    return expiry(terms["period"], ends_at, zone, roll_over=roll_over_of(terms))


async def begin(connection: Connection, order: Order, *, until: int | None = None) -> Order:
    """The subscription that this order is the first period of, in the caller's transaction; the order bound to it.

    `until`: where its period ends (µs), for one whose renewal is heard of before its payment.
    """
    current = await orders.find(connection, order.tenant_id, order.id, lock=True)
    if current is None:
        raise LookupError(f"{order.id} is gone")
    if current.subscription_id is not None:
        return current
    tenant = await tenant_of(connection, order.tenant_id)
    now = now_us()
    facts = [_fact_of(row) for row in await payment_facts.of_order(connection, order.tenant_id, order.id)]
    paid = next((one for one in facts if isinstance(one, Payment) and one.status == "completed"), None)
    rhythm, zone = current.terms["period"], ZoneInfo(tenant.timezone)
    starts_at = current.paid_at or now
    if paid is not None and paid.period_starts_at is not None:
        starts_at = paid.period_starts_at
    elif paid is None and until is not None:
        starts_at = boundary(until, rhythm, -1, zone)
    ends_at = (paid.period_ends_at if paid else until) or 0
    if ends_at <= starts_at:
        ends_at = boundary(starts_at, rhythm, 1, zone)
    values = {
        "id": new_id("sub"),
        "customer_id": current.customer_id,
        "order_id": current.id,
        "package_id": current.package_id,
        "state": "active",
        "provider": current.provider,
        "pin": current.provider_facts.get("pin"),
        "anchor_at": starts_at,
        "number": 0,
        "period_starts_at": starts_at,
        "period_ends_at": ends_at,
        "told_at": 0,
        "created_at": now,
        "changed_at": now,
    }
    for one in facts:
        if isinstance(one, Fact) and (paid is None or paid.subscription_ref in {None, one.ref}):
            values |= {"provider_ref": one.ref, "told_at": one.occurred_at, "cancel_at": one.cancel_at}
            values["state"] = STATE_OF[one.status]
    if paid is not None and values.get("provider_ref") is None:
        values["provider_ref"] = paid.subscription_ref
    await subscriptions.add(connection, order.tenant_id, values)
    await subscriptions.bind_order(
        connection, order.tenant_id, order.id, subscription_id=str(values["id"]), starts_at=starts_at, ends_at=ends_at
    )
    bound = await orders.find(connection, order.tenant_id, order.id)
    if bound is None:
        raise LookupError(f"{order.id} is gone")
    await _tell_of_period(connection, bound, "subscription.started")
    return bound


async def next_period(connection: Connection, bought: Order, payment: Payment) -> dict[str, Any]:
    """The columns of the order that renews what was bought: what is sold next, and its period.

    In the caller's transaction; begins the subscription where the first order has not been credited yet. What was not
    sold as a subscription, and is renewed by its provider all the same, is credited as it was.
    """
    if bought.kind != "subscription":
        kept = ("package_id", "price_nano", "credits_nano", "terms_hash")
        facts = renewed_facts(bought, bought.provider_facts.get("pin"))
        return {**{name: getattr(bought, name) for name in kept}, "provider_facts": facts}
    first = await begin(connection, bought, until=payment.period_starts_at)
    found = await subscriptions.find(connection, bought.tenant_id, str(first.subscription_id), lock=True)
    if found is None:
        raise LookupError(f"{first.subscription_id} is gone")
    offer = await packages.version(connection, bought.tenant_id, found.next_package_id or found.package_id)
    tenant = await tenant_of(connection, bought.tenant_id)
    if offer is None:
        raise LookupError(f"{found.id} names a package that is not there")
    starts_at = payment.period_starts_at
    if starts_at is None:
        # It does not say which period it pays: the one behind all that were paid.
        starts_at = max(found.period_ends_at, await subscriptions.covered_until(connection, found.tenant_id, found.id))
    ends_at = payment.period_ends_at or boundary(starts_at, offer.terms["period"], 1, ZoneInfo(tenant.timezone))
    pin = None if found.pin is None else {name: found.pin[name] for name in ("price_ref", "currency", "subtotal")}
    return {
        "package_id": offer.id,
        "price_nano": parse_amount(offer.terms["price"]),
        "credits_nano": parse_amount(offer.terms["credits"]),
        "terms_hash": terms_digest(offer.code, offer.version, offer.terms),
        "provider_facts": renewed_facts(bought, pin),
        "subscription_id": found.id,
        "period_starts_at": starts_at,
        "period_ends_at": ends_at,
    }


def renewed_facts(bought: Order, pin: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an order has of the one that it renews: whose account the money comes to, and the price it is to have."""
    shared = {"shared": True} if bought.provider_facts.get("shared") else {}
    return shared if pin is None else {"pin": dict(pin), **shared}


async def moved_on(connection: Connection, order: Order, now: int) -> None:
    """The order was credited: its period is the subscription's own from now on, in the same transaction.

    A change within a period moved its plan when it was told of.
    """
    if order.subscription_id is None or (order.request_key or "").startswith(UPGRADE):
        return
    found = await subscriptions.find(connection, order.tenant_id, order.subscription_id, lock=True)
    if found is None or found.order_id == order.id:
        return
    values: dict[str, Any] = {"package_id": order.package_id}
    if found.next_package_id == order.package_id:
        values["next_package_id"] = None
    if order.period_starts_at is not None and order.period_ends_at is not None:
        if order.period_ends_at <= found.period_ends_at:
            return
        values |= {
            "number": found.number + 1,
            "period_starts_at": order.period_starts_at,
            "period_ends_at": order.period_ends_at,
        }
        if found.state != "ended":
            values["state"] = transition(found.state, "renew")
        await _tell_of_period(connection, order, "subscription.renewed")
    await subscriptions.change(connection, order.tenant_id, found.id, now=now, **values)


def _fact_of(row: FactRow) -> Payment | Fact | None:
    """A payment or a subscription as its provider told of it last; None for anything else."""
    kinds = {"payment": Payment, "subscription": Fact}
    return msgspec.convert(row.state, kinds[row.kind]) if row.kind in kinds else None


async def tenant_of(connection: Connection, tenant_id: int) -> Tenant:
    """The tenant of this internal id, which there is."""
    tenant = await operator.tenant_by_id(connection, tenant_id)
    if tenant is None:
        raise LookupError(f"there is no tenant {tenant_id}")
    return tenant


async def tell(
    connection: Connection,
    found: Subscription,
    kind: str,
    *,
    key: str,
    now: int,
    until: int | None = None,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """A mail to the subscriber and an event, once under this key; `until`: the moment (µs) that the mail tells of."""
    tenant = await tenant_of(connection, found.tenant_id)
    if until is not None:
        facts = {**facts, "until": told_moment(until, tenant.timezone)}
    fresh = await outbox.add(
        connection,
        found.tenant_id,
        kind=kind,
        recipient=found.email,
        payload={"title": found.title, **facts},
        dedupe=f"{kind}:{found.id}:{key}",
        now=now,
    )
    if fresh and kind in _EVENTS:
        data = {"subscription": found.id, "customer": found.customer_id}
        await events.tell(connection, found.tenant_id, _EVENTS[kind], data)


async def _tell_of_period(connection: Connection, order: Order, event: str) -> None:
    data = {"subscription": order.subscription_id, "customer": order.customer_id, "order": order.id}
    await events.tell(connection, order.tenant_id, event, data)
