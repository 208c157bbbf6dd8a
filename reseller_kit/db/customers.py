"""Customers of a tenant, and the one-time links sent to them. Holds no password and moves no money."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us


class Customer(Struct, frozen=True, kw_only=True):
    """A customer as stored. `email` is case-folded; times in µs."""

    id: str
    tenant_id: int
    email: str
    name: str
    status: str
    suspend_reason: str | None
    verified_at: int | None
    wallet_id: int
    created_at: int
    group_id: str | None = None


async def find(connection: AsyncConnection, tenant_id: int, reference: str) -> Customer | None:
    """The tenant's customer of this id or case-folded e-mail address."""
    c = t.customer.c
    column = c.email if "@" in reference else c.id
    statement = select(t.customer).where(c.tenant_id == tenant_id, column == reference)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Customer(**row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[Customer]:
    """The tenant's customers, newest first; only those before the row `before_id`, if given."""
    c = t.customer.c
    statement = select(t.customer).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Customer(**row) for row in rows.mappings()]


async def add(connection: AsyncConnection, tenant_id: int, customer: Customer) -> None:
    """Store a new customer; the address must be free within the tenant."""
    row = {name: getattr(customer, name) for name in Customer.__struct_fields__}
    await connection.execute(insert(t.customer).values({**row, "tenant_id": tenant_id}))


async def set_status(
    connection: AsyncConnection, tenant_id: int, customer_id: str, status: str, reason: str | None
) -> None:
    """Suspend a customer, with the reason, or make it active again."""
    c = t.customer.c
    statement = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id)
    await connection.execute(statement.values(status=status, suspend_reason=reason))


async def set_group(connection: AsyncConnection, tenant_id: int, customer_id: str, group_id: str | None) -> None:
    """Put a customer into one of the tenant's groups, or into none."""
    c = t.customer.c
    statement = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id)
    await connection.execute(statement.values(group_id=group_id))


async def groups(connection: AsyncConnection, tenant_id: int) -> dict[str, int]:
    """How many customers there are in each group."""
    c = t.customer.c
    counted = select(c.group_id, func.count()).where(c.tenant_id == tenant_id, c.group_id.is_not(None))
    return {row[0]: row[1] for row in await connection.execute(counted.group_by(c.group_id))}


async def add_link(
    connection: AsyncConnection, tenant_id: int, customer_id: str, *, digest: bytes, purpose: str, expires_at: int
) -> None:
    """A one-time link, by the keyed hash of its token."""
    row = {
        "digest": digest,
        "tenant_id": tenant_id,
        "customer_id": customer_id,
        "purpose": purpose,
        "expires_at": expires_at,
        "created_at": now_us(),
    }
    await connection.execute(insert(t.customer_link).values(row))
