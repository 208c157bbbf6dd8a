"""What a provider tells of a subscription, taken over: the later state of two holds, however they arrive.

The period itself moves with what is paid, never with what is told. A change of plan that was asked for counts once the
provider tells of the plan's price.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..core.ids import is_public_id
from ..core.money import parse_amount
from ..core.payment import Subscription as Fact
from ..core.subscription import GRACE_US, STATE_OF, upgrade_part
from ..core.times import DAY_US
from ..db import orders, packages, subscriptions
from ..db.engine import Connection, now_us
from ..db.packages import Offer
from ..db.subscriptions import Subscription
from .subscription_periods import tell

_KEPT_US: Final = 60 * DAY_US
"""How long behind its period the payment of a larger plan is still waited for."""


async def told(connection: Connection, tenant_id: int, provider: str, fact: Fact) -> Subscription | None:
    """Take a fact over, in the caller's transaction; None while no order of ours has begun this subscription."""
    found = await subscriptions.of_ref(connection, tenant_id, provider, fact.ref)
    order_id = await begun_order(connection, tenant_id, provider, fact) if found is None else None
    if order_id is not None:
        found = await subscriptions.of_order(connection, tenant_id, order_id)
    # A second paid checkout of one order is another subscription of its provider's; the first keeps the order.
    if found is None or found.provider_ref not in {None, fact.ref}:
        return None
    found = await subscriptions.find(connection, tenant_id, found.id, lock=True)
    if found is None or fact.occurred_at < found.told_at:
        return found
    now, state = now_us(), STATE_OF[fact.status]
    values: dict[str, Any] = {"provider_ref": fact.ref, "told_at": fact.occurred_at, "cancel_at": fact.cancel_at}
    await subscriptions.change(connection, tenant_id, found.id, now=now, state=state, **values)
    after = msgspec.structs.replace(found, state=state, **values)
    await _tell(connection, found, after, now)
    asked = (after.pin or {}).get("next")
    if asked is not None and asked["price_ref"] == fact.price_ref:
        await _adopt(connection, after, asked, now)
    return await subscriptions.find(connection, tenant_id, found.id)


async def begun_order(connection: Connection, tenant_id: int, provider: str, fact: Fact) -> str | None:
    """The order that a subscription began with: the one it names under our signature, else the one of its checkout."""
    if fact.order_id is not None and is_public_id(fact.order_id, "ord"):
        order = await orders.find(connection, tenant_id, fact.order_id)
        return None if order is None else order.id
    if fact.payment_ref is not None:
        return await orders.find_ref(connection, tenant_id, provider, fact.payment_ref)
    return None


async def _adopt(connection: Connection, found: Subscription, asked: dict[str, Any], now: int) -> None:
    """The plan that was asked for counts: renewals are paid at its price, and a dearer one adds credit at once."""
    offer = await packages.version(connection, found.tenant_id, asked["package_id"])
    if offer is None:
        raise LookupError(f"{found.id} names a package that is not there")
    pin = {**(found.pin or {}), **{name: asked[name] for name in ("price_ref", "currency", "subtotal")}}
    del pin["next"]
    values: dict[str, Any] = {"pin": pin, "next_package_id": offer.id}
    if asked["at_once"]:
        # The plan is the subscription's own from now on: what the next change adds is counted from it, paid or not yet.
        values |= {"package_id": offer.id, "next_package_id": None}
        pin["added"] = [one for one in pin.get("added", ()) if one["ends_at"] > now - _KEPT_US]
        pin["added"] += _added(found, offer, asked, now)
    await subscriptions.change(connection, found.tenant_id, found.id, now=now, **values)


def _added(found: Subscription, offer: Offer, asked: dict[str, Any], now: int) -> list[dict[str, Any]]:
    """What the larger plan adds for the rest of the period, once its provider says that the difference is paid.

    Counted from the moment and the period in which it was asked for, whenever that is told of.
    """
    starts_at, ends_at = asked.get("period", (found.period_starts_at, found.period_ends_at))
    at = asked.get("at", now)
    credit, price = (
        upgrade_part(
            parse_amount(found.terms[name]),
            parse_amount(offer.terms[name]),
            starts_at=starts_at,
            ends_at=ends_at,
            at=at,
        )
        for name in ("credits", "price")
    )
    if not credit:
        return []
    kept = {"price_ref": asked["price_ref"], "currency": asked["currency"], "package_id": offer.id, "at": at}
    return [{**kept, "credits_nano": credit, "price_nano": price, "starts_at": starts_at, "ends_at": ends_at}]


async def _tell(connection: Connection, before: Subscription, after: Subscription, now: int) -> None:
    """What the customer should hear of: a payment that failed, an end that is near or there."""
    if after.state == "ended":
        if before.state != "ended":
            await tell(connection, after, "subscription_ended", key=str(after.told_at), now=now)
        return
    if after.state == "past_due" != before.state:
        ends = after.period_ends_at
        await tell(connection, after, "subscription_failed", key=str(ends), now=now, until=max(ends, now) + GRACE_US)
    if after.cancel_at is not None and before.cancel_at is None:
        await tell(connection, after, "subscription_cancelled", key=str(now), now=now, until=after.cancel_at)
