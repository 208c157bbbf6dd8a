"""Subscriptions that nobody renews by itself: the next period is asked to be paid, missed, and given up.

Each step is judged again under the subscription's lock, so that of several processes one does it.
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from ...core.ids import new_id
from ...core.money import parse_amount
from ...core.order import GIVEN_UP, UNPAID
from ...core.order import transition as order_transition
from ...core.subscription import GRACE_US, boundary, step, transition
from ...db import audit_log, operator_subscriptions, orders, outbox, packages, subscriptions, tenants
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...db.orders import Order
from ...db.packages import Offer
from ...db.subscriptions import Subscription
from ...payments import Manual
from ..orders import terms_hash
from ..subscription_periods import RENEWAL, tell, tenant_of

_AT_ONCE: Final = 100
_ACTOR: Final = "sweep"


async def follow_up(db: Database) -> int:
    """Do what is due for up to 100 subscriptions; how many. Safe to run in several processes."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        waiting = await operator_subscriptions.due(connection, Manual.name, now, _AT_ONCE)
    for one in waiting:
        async with db.write(one.tenant_id) as connection:
            found = await subscriptions.find(connection, one.tenant_id, one.id, lock=True)
            if found is not None:
                await _follow_up(connection, found, now)
    return len(waiting)


async def _follow_up(connection: Connection, found: Subscription, now: int) -> None:
    ordered = await subscriptions.orders_of(connection, found.tenant_id, found.id, found.period_ends_at)
    requested = any(one.state not in GIVEN_UP for one in ordered)
    what = step(
        found.state,
        period_ends_at=found.period_ends_at,
        cancel_at=found.cancel_at,
        requested=requested,
        now=now,
    )
    if what == "end":
        await _end(connection, found, now)
    elif what == "miss":
        await _miss(connection, found, now)
    elif what == "request":
        given_up = max((one.changed_at for one in ordered), default=0)
        if given_up > found.changed_at:
            # The order of the next period was given up: so is what comes after this one.
            await cancelled(connection, found, found.period_ends_at, actor=_ACTOR, now=now)
        else:
            await _request(connection, found, len(ordered), now)


async def _request(connection: Connection, found: Subscription, earlier: int, now: int) -> None:
    """An order of the next period; the customer reads how to pay it, the team that somebody is to."""
    tenant = await tenant_of(connection, found.tenant_id)
    offer = await packages.version(connection, found.tenant_id, found.next_package_id or found.package_id)
    if offer is None:
        raise LookupError(f"{found.id} names a package that is not there")
    starts_at, ends_at = found.period_ends_at, _ends(found, offer, ZoneInfo(tenant.timezone))
    row = {
        **sold(offer),
        "id": new_id("ord"),
        "customer_id": found.customer_id,
        "provider": found.provider,
        "provider_facts": {},
        "request_key": f"{RENEWAL}{found.id}:{starts_at}:{earlier}",
        "created_at": now,
        "lapses_at": starts_at + GRACE_US,
        "subscription_id": found.id,
        "period_starts_at": starts_at,
        "period_ends_at": ends_at,
    }
    if not await orders.add(connection, found.tenant_id, row, _ACTOR):
        return
    made = order_transition("draft", "open")
    await orders.change(connection, found.tenant_id, str(row["id"]), made, actor=_ACTOR, now=now)
    order = await orders.find(connection, found.tenant_id, str(row["id"]))
    if order is None:
        raise LookupError(f"{row['id']} is gone")
    facts = {"order": order.id, "price": offer.terms["price"]}
    await tell(connection, found, "subscription_due", key=order.id, now=now, until=found.period_ends_at, facts=facts)
    await _tell_team(connection, order, tenant.name, now)


async def _tell_team(connection: Connection, order: Order, storefront: str, now: int) -> None:
    for member in await tenants.members(connection, order.tenant_id):
        if member.role in {"owner", "finance"} and member.status != "removed":
            await outbox.add(
                connection,
                order.tenant_id,
                kind="order_to_approve",
                recipient=member.email,
                payload={
                    "storefront": storefront,
                    "customer": order.email,
                    "order": order.id,
                    "title": order.title,
                    "price": order.terms["price"],
                    "credits": order.terms["credits"],
                },
                dedupe=f"order_to_approve:{order.id}:{member.email}",
                now=now,
            )


async def _miss(connection: Connection, found: Subscription, now: int) -> None:
    """The period is over and the next one not paid: there is a while to do so."""
    state = transition(found.state, "miss")
    await subscriptions.change(connection, found.tenant_id, found.id, now=now, state=state)
    ends = found.period_ends_at
    await tell(connection, found, "subscription_failed", key=str(ends), now=now, until=ends + GRACE_US)


async def _end(connection: Connection, found: Subscription, now: int) -> None:
    await subscriptions.change(
        connection, found.tenant_id, found.id, now=now, state=transition(found.state, "end"), next_package_id=None
    )
    await audit_log.record(connection, found.tenant_id, _ACTOR, "subscription.end", "subscription", found.id)
    await tell(connection, found, "subscription_ended", key=str(found.period_ends_at), now=now)


async def cancelled(connection: Connection, found: Subscription, at: int, *, actor: str, now: int) -> None:
    """It ends at `at` (µs): noted, told, and an order of the period behind it that nobody has paid is given up."""
    await subscriptions.change(connection, found.tenant_id, found.id, now=now, cancel_at=at, next_package_id=None)
    for one in await subscriptions.orders_of(connection, found.tenant_id, found.id, found.period_ends_at):
        if one.state in UNPAID:
            made = order_transition(one.state, "cancel")
            await orders.change(connection, found.tenant_id, one.id, made, actor=actor, now=now, cancelled_at=now)
    await audit_log.record(connection, found.tenant_id, actor, "subscription.cancel", "subscription", found.id)
    await tell(connection, found, "subscription_cancelled", key=str(now), now=now, until=at)


def sold(offer: Offer) -> dict[str, Any]:
    """What an order of an offer with a price of its own pins."""
    return {
        "package_id": offer.id,
        "price_nano": parse_amount(offer.terms["price"]),
        "credits_nano": parse_amount(offer.terms["credits"]),
        "terms_hash": terms_hash(offer),
    }


def _ends(found: Subscription, offer: Offer, zone: ZoneInfo) -> int:
    """Where the next period ends: by the anchor's day while the rhythm stays, else counted from its beginning."""
    if offer.terms["period"] == found.period:
        ends_at = boundary(found.anchor_at, found.period, found.number + 2, zone)
        if ends_at > found.period_ends_at:
            return ends_at
    return boundary(found.period_ends_at, offer.terms["period"], 1, zone)
