"""Looking subscriptions up. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.errors import InvalidRequest, NotFound
from ...core.ids import is_public_id
from ...core.paging import Page, Window, after, page_of
from ...db import operator_subscriptions, packages, subscriptions
from ...db.engine import EVERY_TENANT, NO_TENANT, Connection, Database
from ...db.packages import Offer
from ...db.subscriptions import Subscription
from ..customers import require_customer
from ..tenants import require_tenant, scope_of

_LIST: Final = "subscriptions"
_MOST: Final = 50


class NamedSubscription(Struct, frozen=True):
    """A subscription with its tenant's slug."""

    tenant: str
    subscription: Subscription


class OwnSubscription(Struct, frozen=True):
    """A subscription as its customer sees it; `next_offer`: what the next period will be, where that is another.

    `waiting`: the order of its next period that is to be paid, "" without one.
    """

    subscription: Subscription
    next_offer: Offer | None
    waiting: str = ""


async def list_subscriptions(
    db: Database, tenant_slug: str | None, window: Window, *, customer: str | None = None, state: str | None = None
) -> Page[NamedSubscription]:
    """Subscriptions, newest first: of one tenant or of all, of one of its customers, in one state."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    if customer is not None and tenant_slug is None:
        raise InvalidRequest(
            "A customer belongs to a tenant, and none is given.", param="tenant", fix="Give --tenant as well."
        )
    async with db.read(scope_of(tenant_slug)) as connection:
        if tenant_slug is None:
            named = await operator_subscriptions.page(connection, window.limit + 1, before, state)
        else:
            tenant = await require_tenant(connection, tenant_slug)
            owner_id = None if customer is None else (await require_customer(connection, tenant, customer)).id
            own = await subscriptions.page(
                connection, tenant.id, window.limit + 1, before, customer_id=owner_id, state=state
            )
            named = [(tenant.slug, found) for found in own]
    return page_of([NamedSubscription(*one) for one in named], window, _LIST, lambda row: (row.subscription.id,))


async def show_subscription(db: Database, subscription_id: str, tenant_id: int | None = None) -> NamedSubscription:
    """One subscription of any tenant for the operator, or only of that tenant. Raises NotFound."""
    slug = await slug_of(db, subscription_id, tenant_id)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        return NamedSubscription(slug, await require_subscription(connection, tenant.id, subscription_id))


async def own_subscriptions(connection: Connection, tenant_id: int, customer_id: str) -> list[OwnSubscription]:
    """A customer's own, newest first: all that are going on, and of the others the latest few."""
    found = await subscriptions.page(connection, tenant_id, _MOST, None, customer_id=customer_id)
    return await _own(connection, tenant_id, found)


async def own_subscription(db: Database, tenant_id: int, customer_id: str, subscription_id: str) -> OwnSubscription:
    """A customer's own. Raises NotFound, for another customer's as for one that is not there."""
    async with db.read(tenant_id) as connection:
        found = await require_subscription(connection, tenant_id, subscription_id, customer_id)
        return (await _own(connection, tenant_id, [found]))[0]


async def _own(connection: Connection, tenant_id: int, found: Sequence[Subscription]) -> list[OwnSubscription]:
    """What customers see of theirs, in two statements however many there are."""
    next_ids = {one.next_package_id for one in found if one.next_package_id is not None}
    following = await packages.versions(connection, tenant_id, next_ids)
    waiting = await subscriptions.waiting_orders(connection, tenant_id, [one.id for one in found])
    return [OwnSubscription(one, following.get(one.next_package_id or 0), waiting.get(one.id, "")) for one in found]


async def slug_of(db: Database, subscription_id: str, tenant_id: int | None) -> str:
    """The slug of the tenant that a subscription belongs to: any for the operator, only `tenant_id` for a team.

    Raises NotFound.
    """
    async with db.read(EVERY_TENANT) as connection:
        known = is_public_id(subscription_id, "sub")
        slug = (
            await operator_subscriptions.tenant_of_subscription(connection, subscription_id, tenant_id)
            if known
            else None
        )
    if slug is None:
        raise _unknown(subscription_id)
    return slug


async def require_subscription(
    connection: Connection, tenant_id: int, subscription_id: str, customer_id: str | None = None, *, lock: bool = False
) -> Subscription:
    """The tenant's subscription, or only this customer's. Raises NotFound."""
    found = None
    if is_public_id(subscription_id, "sub"):
        found = await subscriptions.find(connection, tenant_id, subscription_id, customer_id, lock=lock)
    if found is None:
        raise _unknown(subscription_id)
    return found


def _unknown(subscription_id: str) -> NotFound:
    return NotFound(
        f"There is no subscription {subscription_id[:80]!r}.",
        fix="See: reseller-kit subscription list --tenant SLUG",
    )
