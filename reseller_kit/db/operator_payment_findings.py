"""What in payments waits for somebody to look at it, of every tenant or of one. Changes nothing.

Amounts are nano-USD, or minor units of a currency; times µs.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from . import tables as t


class Question(Struct, frozen=True, kw_only=True):
    """A payment in question; `order_id` None: no order of the tenant's is known for it."""

    id: int
    tenant: str
    tenant_id: int
    provider: str
    ref: str
    order_id: str | None
    customer: str | None
    problem: str
    state: dict[str, Any]
    created_at: int


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order that something is wrong with; `earlier`: the one that it repeats, "" for none."""

    id: str
    tenant: str
    tenant_id: int
    customer: str
    price_nano: int
    earlier: str
    at: int


class StuckRefund(Struct, frozen=True, kw_only=True):
    """A refund that its provider has not answered, or refused."""

    id: str
    tenant: str
    tenant_id: int
    order_id: str
    provider: str
    minor: int
    currency: str
    error: str
    created_at: int


async def questions(connection: AsyncConnection, tenant_id: int | None, limit: int) -> list[Question]:
    """Payments in question, oldest first."""
    f, o, c = t.payment_fact.c, t.purchase_order.c, t.customer.c
    joined = (
        t.payment_fact.join(t.tenant, t.tenant.c.id == f.tenant_id)
        .outerjoin(t.purchase_order, o.id == f.order_id)
        .outerjoin(t.customer, c.id == o.customer_id)
    )
    named = (f.id, t.tenant.c.slug.label("tenant"), f.tenant_id, f.provider, f.ref, f.order_id)
    statement = select(*named, c.email.label("customer"), f.problem, f.state, f.created_at).select_from(joined)
    statement = _of(statement.where(f.problem != "", f.kind == "payment"), f.tenant_id, tenant_id)
    rows = await connection.execute(statement.order_by(f.id).limit(limit))
    return [Question(**row) for row in rows.mappings()]


async def failed_orders(connection: AsyncConnection, tenant_id: int | None, limit: int) -> list[OpenOrder]:
    """Orders that were paid and could not be credited, oldest first."""
    o = t.purchase_order.c
    statement = _orders().where(o.state == "activation_failed")
    rows = await connection.execute(_of(statement, o.tenant_id, tenant_id).order_by(o.id).limit(limit))
    return [OpenOrder(**row, earlier="") for row in rows.mappings()]


async def repeated_orders(
    connection: AsyncConnection, tenant_id: int | None, *, since: int, within: int, limit: int
) -> list[OpenOrder]:
    """Orders since then of which the same customer had bought the same shortly before, both of them credited whole."""
    o, e = t.purchase_order.c, t.purchase_order.alias("earlier")
    same = (
        e.c.tenant_id == o.tenant_id,
        e.c.customer_id == o.customer_id,
        e.c.package_id == o.package_id,
        e.c.price_nano == o.price_nano,
        e.c.state == "activated",
        e.c.id < o.id,
        o.created_at - e.c.created_at <= within,
    )
    bought = (o.state == "activated", o.price_nano > 0, o.id >= lowest_id("ord", since), ~_follows(o.request_key))
    statement = _orders(func.max(e.c.id).label("earlier")).join(e, e.c.tenant_id == o.tenant_id)
    statement = statement.where(*bought, *same, ~_follows(e.c.request_key))
    statement = statement.group_by(o.id, t.tenant.c.slug, o.tenant_id, t.customer.c.email, o.price_nano, o.created_at)
    rows = await connection.execute(_of(statement, o.tenant_id, tenant_id).order_by(o.id).limit(limit))
    return [OpenOrder(**row) for row in rows.mappings()]


async def stuck_refunds(
    connection: AsyncConnection, tenant_id: int | None, *, before: int, since: int, limit: int
) -> list[StuckRefund]:
    """Refunds asked for before then and not answered, and those refused since a moment and not asked for again."""
    again = t.payment_refund.alias("again")
    r = t.payment_refund.c
    named = (r.id, t.tenant.c.slug.label("tenant"), r.tenant_id, r.order_id, r.provider, r.minor, r.currency)
    statement = select(*named, func.coalesce(r.error, "").label("error"), r.created_at)
    statement = statement.select_from(t.payment_refund.join(t.tenant, t.tenant.c.id == r.tenant_id))
    unanswered = (r.state == "asked") & (r.created_at < before)
    later = (again.c.tenant_id == r.tenant_id, again.c.order_id == r.order_id, again.c.created_at > r.created_at)
    refused = r.state.in_(("refused", "rejected")) & (r.ended_at >= since) & ~exists().where(*later)
    statement = statement.where(unanswered | refused)
    rows = await connection.execute(_of(statement, r.tenant_id, tenant_id).order_by(r.created_at).limit(limit))
    return [StuckRefund(**row) for row in rows.mappings()]


async def parked_deliveries(connection: AsyncConnection, tenant_id: int | None) -> int:
    """How many deliveries were given up."""
    c = t.inbox.c
    statement = select(func.count()).select_from(t.inbox).where(c.parked_at.is_not(None), c.processed_at.is_(None))
    return int(await connection.scalar(_of(statement, c.tenant_id, tenant_id)) or 0)


def _orders(*more: Any) -> Select[Any]:
    o, c = t.purchase_order.c, t.customer.c
    joined = t.purchase_order.join(t.tenant, t.tenant.c.id == o.tenant_id).join(t.customer, c.id == o.customer_id)
    named = (o.id, t.tenant.c.slug.label("tenant"), o.tenant_id, c.email.label("customer"), o.price_nano)
    return select(*named, o.created_at.label("at"), *more).select_from(joined)


def _follows(key: Any) -> Any:
    """Whether a subscription made the order by itself: it renews, or a larger plan adds to it."""
    named = func.coalesce(key, "")
    return named.startswith("renewal:") | named.startswith("upgrade:")


def _of(statement: Select[Any], column: Any, tenant_id: int | None) -> Select[Any]:
    return statement if tenant_id is None else statement.where(column == tenant_id)
