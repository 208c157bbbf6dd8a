"""The operator's reads across tenants for orders: whose one is, and what waits for a process. Changes nothing."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .orders import Order, narrowed


class WaitingOrder(Struct, frozen=True, kw_only=True):
    """An order that a process has to bring on."""

    id: str
    tenant_id: int


async def tenant_of_order(connection: AsyncConnection, order_id: str, tenant_id: int | None = None) -> str | None:
    """The slug of the tenant that an order belongs to; with `tenant_id`, only if it is that one."""
    joined = t.tenant.join(t.purchase_order, t.purchase_order.c.tenant_id == t.tenant.c.id)
    statement = select(t.tenant.c.slug).select_from(joined).where(t.purchase_order.c.id == order_id)
    if tenant_id is not None:
        statement = statement.where(t.purchase_order.c.tenant_id == tenant_id)
    slug: str | None = await connection.scalar(statement)
    return slug


async def page(
    connection: AsyncConnection, limit: int, before_id: str | None, state: str | None
) -> list[tuple[str, Order]]:
    """Orders of every tenant with its slug, newest first, or those in one state."""
    c = t.purchase_order.c
    statement = narrowed(c.tenant_id).add_columns(t.tenant.c.slug).join(t.tenant, t.tenant.c.id == c.tenant_id)
    if state is not None:
        statement = statement.where(c.state == state)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [(row["slug"], Order(**{n: row[n] for n in Order.__struct_fields__})) for row in rows.mappings()]


async def of_beneficiary(
    connection: AsyncConnection, beneficiary_id: int, limit: int, before_id: str | None
) -> list[Order]:
    """The platform's orders for one reseller's account, newest first."""
    c = t.purchase_order.c
    statement = narrowed(c.tenant_id).where(c.beneficiary_id == beneficiary_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Order(**{n: row[n] for n in Order.__struct_fields__}) for row in rows.mappings()]


async def paid_orders(connection: AsyncConnection, before: int, limit: int) -> list[WaitingOrder]:
    """Orders that were paid before that moment (µs) and not credited since, oldest first.

    Those of which more is known than they show are left to who settles them.
    """
    c = t.purchase_order.c
    settled = c.settled_version >= c.facts_version
    statement = select(c.id, c.tenant_id).where(c.state == "paid", c.changed_at < before, settled)
    rows = await connection.execute(statement.order_by(c.changed_at).limit(limit))
    return [WaitingOrder(**row) for row in rows.mappings()]


async def overdue_orders(connection: AsyncConnection, now: int, limit: int) -> list[WaitingOrder]:
    """Orders that nobody paid in time."""
    c = t.purchase_order.c
    statement = select(c.id, c.tenant_id).where(c.state.in_(("draft", "checkout_open")), c.lapses_at <= now)
    rows = await connection.execute(statement.order_by(c.lapses_at).limit(limit))
    return [WaitingOrder(**row) for row in rows.mappings()]
