"""A subscriber's choices: cancel at the end of the period, take that back, go on with a larger or smaller plan.

A provider that renews by itself is asked first, with no transaction open, and what it answers is taken over. For the
others a change counts from the next period on.
"""

from __future__ import annotations

import logging
from typing import Final

from msgspec import Struct

from ...core.errors import Conflict, InvalidRequest, KitError, NotFound
from ...core.money import parse_amount
from ...core.offers import CENT_NANO
from ...core.subscription import LIVE
from ...db import audit_log, operator_subscriptions, packages, subscriptions
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...db.packages import Offer
from ...db.subscriptions import Subscription
from ...payments import Provider, Purchase, Renewing
from ...payments.faults import asking
from ..orders import terms_hash
from ..orders.checkout import Names
from ..plan_changes import pair_changes
from ..providers import Providers
from ..subscription_facts import told
from .due import cancelled
from .look import NamedSubscription, require_subscription, show_subscription

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 50


class Choice(Struct, frozen=True, kw_only=True):
    """Whose subscription it is, and who chooses. `customer_id` None: somebody of the team does."""

    tenant_id: int
    subscription_id: str
    actor: str
    customer_id: str | None = None


async def cancel_subscription(db: Database, provider: Provider, choice: Choice) -> Subscription:
    """End it with the period that is paid; repeating is harmless. Raises NotFound, Conflict for one that has ended."""
    found = await _live(db, choice)
    if found.cancel_at is not None:
        return found
    if isinstance(provider, Renewing) and found.provider_ref is not None:
        with asking(provider):
            fact = await provider.cancel_subscription(found.provider_ref)
        async with db.write(choice.tenant_id) as connection:
            await told(connection, choice.tenant_id, found.provider, fact)
            await _record(connection, choice, "subscription.cancel")
            return await _again(connection, choice)
    async with db.write(choice.tenant_id) as connection:
        current = await _again(connection, choice, lock=True)
        if current.state in LIVE and current.cancel_at is None:
            # What is not paid in time is over at once.
            at = max(current.period_ends_at, now_us())
            await cancelled(connection, current, at, actor=choice.actor, now=now_us())
        return await _again(connection, choice)


async def resume_subscription(db: Database, provider: Provider, choice: Choice) -> Subscription:
    """Take a cancellation back that has not taken effect. Raises NotFound, Conflict for one that has ended."""
    found = await _live(db, choice)
    if found.cancel_at is None:
        return found
    if isinstance(provider, Renewing) and found.provider_ref is not None:
        with asking(provider):
            fact = await provider.resume_subscription(found.provider_ref)
        async with db.write(choice.tenant_id) as connection:
            await told(connection, choice.tenant_id, found.provider, fact)
            await _record(connection, choice, "subscription.resume")
            return await _again(connection, choice)
    async with db.write(choice.tenant_id) as connection:
        current = await _again(connection, choice, lock=True)
        if current.state in LIVE and current.cancel_at is not None:
            await subscriptions.change(connection, choice.tenant_id, current.id, now=now_us(), cancel_at=None)
            await _record(connection, choice, "subscription.resume")
        return await _again(connection, choice)


async def change_subscription(
    db: Database,
    provider: Provider,
    choice: Choice,
    *,
    package: str,
    accepted: str | None = None,
    names: Names | None = None,
) -> Subscription:
    """Go on with another plan of the same rhythm; `accepted`: the digest of the terms that were shown.

    `names`: what the provider calls what is sold.

    With a provider that renews by itself a dearer one counts at once, prorated by it, and a cheaper one from the next
    period on; else both do. Raises NotFound for what is not on offer, InvalidRequest for what can't be changed to,
    Conflict for other terms than those accepted, one that has ended or is cancelled, or whose next period is ordered.
    """
    found = await _live(db, choice)
    async with db.read(choice.tenant_id) as connection:
        offer = await packages.offered(connection, choice.tenant_id, package)
    if offer is None:
        raise NotFound(f"There is no package {package[:80]!r} on offer.")
    _check(found, offer, accepted)
    if isinstance(provider, Renewing) and found.provider_ref is not None:
        return await _change_at_provider(db, provider, choice, found, offer, names)
    async with db.write(choice.tenant_id) as connection:
        current = await _again(connection, choice, lock=True)
        ordered = await subscriptions.orders_of(connection, choice.tenant_id, current.id, current.period_ends_at)
        if any(one.state not in {"cancelled", "lapsed"} for one in ordered):
            raise Conflict("The next period is ordered already.", fix="Pay or cancel that order first.")
        wanted = None if offer.id == current.package_id else offer.id
        await subscriptions.change(connection, choice.tenant_id, current.id, now=now_us(), next_package_id=wanted)
        await _record(connection, choice, "subscription.change", offer)
        return await _again(connection, choice)


async def cancel_for(
    db: Database, providers: Providers, *, subscription_id: str, actor: str, tenant_id: int | None = None
) -> NamedSubscription:
    """Cancel any tenant's subscription on the operator's word, or one of that tenant on its team's.

    Raises as `cancel_subscription` does.
    """
    named = await show_subscription(db, subscription_id, tenant_id)
    found = named.subscription
    choice = Choice(tenant_id=found.tenant_id, subscription_id=found.id, actor=actor)
    through = await providers.named(found.tenant_id, found.provider)
    await cancel_subscription(db, through.provider, choice)
    return await show_subscription(db, subscription_id, tenant_id)


async def cancel_departing(db: Database, providers: Providers) -> int:
    """Cancel what customers had who are leaving; how many. One whose provider does not answer is tried again."""
    async with db.read(EVERY_TENANT) as connection:
        found = await operator_subscriptions.departing(connection, _AT_ONCE)
    done = 0
    for one in found:
        try:
            await cancel_for(db, providers, subscription_id=one.id, actor="sweep")
            done += 1
        except KitError as error:
            _log.error("%s of a customer who leaves could not be cancelled: %s", one.id, error.message)
    return done


async def _change_at_provider(
    db: Database, provider: Renewing, choice: Choice, found: Subscription, offer: Offer, names: Names | None
) -> Subscription:
    """Note what is asked for, ask, take the answer over; a process that dies in between leaves that to what is told."""
    purchase = Purchase(
        reference=found.order_id,
        title=str(offer.terms["title"]),
        price_nano=parse_amount(offer.terms["price"]),
        email=found.email,
        package=offer.code,
        version=offer.version,
        period=str(offer.terms["period"]),
        customer_id=found.customer_id,
        item=None if names is None else await names.of(offer),
    )
    at_once = purchase.price_nano > parse_amount(found.terms["price"])
    asked = {
        "price_ref": (purchase.item.price_ref or "") if purchase.item is not None else "",
        "currency": (found.pin or {}).get("currency", "USD"),
        "subtotal": -(-purchase.price_nano // CENT_NANO),
        "package_id": offer.id,
        "at_once": at_once,
        "at": now_us(),
    }
    async with db.write(choice.tenant_id) as connection:
        current = await _again(connection, choice, lock=True)
        asked["period"] = (current.period_starts_at, current.period_ends_at)
        if at_once and current.next_package_id not in {None, current.package_id}:
            raise Conflict("A change is planned already.", fix="Go back to the present plan first.")
        pin = {**(current.pin or {}), "next": asked}
        await subscriptions.change(connection, choice.tenant_id, current.id, now=now_us(), pin=pin)
        await _record(connection, choice, "subscription.change", offer)
    with asking(provider):
        fact = await provider.change_subscription(str(found.provider_ref), purchase, at_once=at_once)
    async with db.write(choice.tenant_id) as connection:
        await told(connection, choice.tenant_id, found.provider, fact)
        await pair_changes(connection, choice.tenant_id, found.provider, fact.ref)
        return await _again(connection, choice)


def _check(found: Subscription, offer: Offer, accepted: str | None) -> None:
    if offer.terms.get("kind") != "subscription":
        raise InvalidRequest(f"{offer.code} is no subscription.", param="package", fix="Choose one that renews.")
    if offer.terms["period"] != found.period:
        raise InvalidRequest(
            f"{offer.code} renews every {offer.terms['period']}, this subscription every {found.period}.",
            param="package",
            fix="Cancel this one, and order the other.",
        )
    if found.cancel_at is not None:
        raise Conflict("The subscription is cancelled.", fix="Resume it, then change it.")
    if accepted is not None and accepted != terms_hash(offer):
        raise Conflict("The offer has changed since the page was opened.", fix="Look at it again.")


async def _live(db: Database, choice: Choice) -> Subscription:
    async with db.read(choice.tenant_id) as connection:
        found = await _again(connection, choice)
    if found.state not in LIVE:
        raise Conflict("The subscription has ended.", fix="Order it again.")
    return found


async def _again(connection: Connection, choice: Choice, *, lock: bool = False) -> Subscription:
    return await require_subscription(
        connection, choice.tenant_id, choice.subscription_id, choice.customer_id, lock=lock
    )


async def _record(connection: Connection, choice: Choice, action: str, offer: Offer | None = None) -> None:
    after = None if offer is None else {"package": offer.code, "version": offer.version}
    await audit_log.record(
        connection, choice.tenant_id, choice.actor, action, "subscription", choice.subscription_id, after=after
    )
