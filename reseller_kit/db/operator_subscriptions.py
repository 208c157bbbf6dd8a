"""The operator's reads across tenants for subscriptions: whose one is, and which are due. Changes nothing."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.subscription import GRACE_US, LIVE, REQUEST_US
from . import tables as t
from .subscriptions import Subscription, narrowed


class DueSubscription(Struct, frozen=True, kw_only=True):
    """A subscription that a process has to look at."""

    id: str
    tenant_id: int


async def tenant_of_subscription(
    connection: AsyncConnection, subscription_id: str, tenant_id: int | None = None
) -> str | None:
    """The slug of the tenant that a subscription belongs to; with `tenant_id`, only if it is that one."""
    joined = t.tenant.join(t.subscription, t.subscription.c.tenant_id == t.tenant.c.id)
    statement = select(t.tenant.c.slug).select_from(joined).where(t.subscription.c.id == subscription_id)
    if tenant_id is not None:
        statement = statement.where(t.subscription.c.tenant_id == tenant_id)
    slug: str | None = await connection.scalar(statement)
    return slug


async def page(
    connection: AsyncConnection, limit: int, before_id: str | None, state: str | None
) -> list[tuple[str, Subscription]]:
    """Subscriptions of every tenant with its slug, newest first, or those in one state."""
    c = t.subscription.c
    statement = narrowed(c.tenant_id).add_columns(t.tenant.c.slug).join(t.tenant, t.tenant.c.id == c.tenant_id)
    if state is not None:
        statement = statement.where(c.state == state)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    names = Subscription.__struct_fields__
    return [(row["slug"], Subscription(**{name: row[name] for name in names})) for row in rows.mappings()]


async def departing(connection: AsyncConnection, limit: int) -> list[DueSubscription]:
    """Those that would be renewed though their customers are leaving."""
    c, owner = t.subscription.c, t.customer.c
    joined = t.subscription.join(t.customer, (owner.id == c.customer_id) & (owner.tenant_id == c.tenant_id))
    statement = select(c.id, c.tenant_id).select_from(joined)
    statement = statement.where(c.state.in_(LIVE), c.cancel_at.is_(None), owner.status == "closing")
    return [DueSubscription(**row) for row in (await connection.execute(statement.limit(limit))).mappings()]


async def due(connection: AsyncConnection, provider: str, now: int, limit: int) -> list[DueSubscription]:
    """Those at this provider of which `core.subscription.step` says that something is to be done; first what ended."""
    c, o = t.subscription.c, t.purchase_order.c
    ordered = select(o.id).where(
        o.tenant_id == c.tenant_id,
        o.subscription_id == c.id,
        o.period_starts_at == c.period_ends_at,
        o.state.not_in(("cancelled", "lapsed")),
    )
    goes_on = or_(
        c.period_ends_at <= now - GRACE_US,
        and_(c.period_ends_at <= now, c.state == "active"),
        and_(c.period_ends_at <= now + REQUEST_US, ~ordered.exists()),
    )
    statement = select(c.id, c.tenant_id).where(
        c.provider == provider,
        c.state.in_(LIVE),
        or_(c.cancel_at <= now, and_(c.cancel_at.is_(None), goes_on)),
    )
    rows = await connection.execute(statement.order_by(c.period_ends_at, c.id).limit(limit))
    return [DueSubscription(**row) for row in rows.mappings()]
