"""Customers of a tenant, and the one-time links sent to them. Holds no password and moves no money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us
from .kept import kept


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
    locale: str | None = None
    timezone: str | None = None
    delete_at: int | None = None
    group_id: str | None = None
    suspended_until: int | None = None
    restricted_at: int | None = None
    restricted_until: int | None = None
    restrict_reason: str | None = None


class Link(Struct, frozen=True, kw_only=True):
    """A one-time link that may still be used, or was. Times in µs."""

    customer_id: str
    used_at: int | None
    created_at: int
    detail: dict[str, Any]


async def find(connection: AsyncConnection, tenant_id: int, reference: str) -> Customer | None:
    """The tenant's customer of this id or case-folded e-mail address."""
    asked = _by_email(tenant_id, reference) if "@" in reference else _by_id(tenant_id, reference)
    row = (await connection.execute(*asked)).mappings().one_or_none()
    return None if row is None else Customer(**row)


@kept
def _by_id(tenant_id: int, customer_id: str) -> Select[Any]:
    return select(t.customer).where(t.customer.c.tenant_id == tenant_id, t.customer.c.id == customer_id)


@kept
def _by_email(tenant_id: int, email: str) -> Select[Any]:
    return select(t.customer).where(t.customer.c.tenant_id == tenant_id, t.customer.c.email == email)


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


async def add_if_free(connection: AsyncConnection, tenant_id: int, customer: Customer) -> bool:
    """As `add`; False, and nothing is stored, when the tenant has the address already."""
    row = {name: getattr(customer, name) for name in Customer.__struct_fields__}
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert_(t.customer).values({**row, "tenant_id": tenant_id})
    statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "email"])
    return (await connection.execute(statement.returning(t.customer.c.id))).one_or_none() is not None


async def set_status(
    connection: AsyncConnection,
    tenant_id: int,
    customer_id: str,
    status: str,
    reason: str | None,
    until: int | None = None,
) -> None:
    """Suspend a customer, with the reason, or make it active again; one that was closing is no more.

    `until`: when a suspension ends by itself (µs), None for one that somebody has to end.
    """
    c = t.customer.c
    statement = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id)
    values = {"status": status, "suspend_reason": reason, "suspended_until": until, "delete_at": None}
    await connection.execute(statement.values(values))


async def set_closing(connection: AsyncConnection, tenant_id: int, customer_id: str, delete_at: int) -> bool:
    """Begin to close an active customer's account; False for one that is not active."""
    c = t.customer.c
    active = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id, c.status == "active")
    return (await connection.execute(active.values(status="closing", delete_at=delete_at))).rowcount == 1


async def set_verified(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> bool:
    """The customer showed that the address is its own; False when it had before."""
    c = t.customer.c
    fresh = (c.tenant_id == tenant_id, c.id == customer_id, c.verified_at.is_(None))
    return (await connection.execute(update(t.customer).where(*fresh).values(verified_at=now))).rowcount == 1


async def set_email(connection: AsyncConnection, tenant_id: int, customer_id: str, email: str) -> None:
    """Move a customer to another address, which must be free within the tenant."""
    c = t.customer.c
    statement = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id)
    await connection.execute(statement.values(email=email))


async def set_profile(
    connection: AsyncConnection,
    tenant_id: int,
    customer_id: str,
    *,
    name: str,
    locale: str | None,
    timezone: str | None,
) -> None:
    """What the customer is called, and the language and time zone of its own choice."""
    c = t.customer.c
    statement = update(t.customer).where(c.tenant_id == tenant_id, c.id == customer_id)
    await connection.execute(statement.values(name=name, locale=locale, timezone=timezone))


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


async def members(connection: AsyncConnection, tenant_id: int, group_ids: Iterable[str]) -> dict[str, str]:
    """The customers in these groups, each with its group."""
    c = t.customer.c
    found = select(c.id, c.group_id).where(c.tenant_id == tenant_id, c.group_id.in_(list(group_ids)))
    return {row.id: row.group_id for row in await connection.execute(found)}


async def add_link(
    connection: AsyncConnection,
    tenant_id: int,
    customer_id: str,
    *,
    digest: bytes,
    purpose: str,
    expires_at: int,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """A one-time link, by the keyed hash of its token."""
    row = {
        "digest": digest,
        "tenant_id": tenant_id,
        "customer_id": customer_id,
        "purpose": purpose,
        "expires_at": expires_at,
        "created_at": now_us(),
        "detail": None if detail is None else dict(detail),
    }
    await connection.execute(insert(t.customer_link).values(row))


async def find_link(connection: AsyncConnection, tenant_id: int, digest: bytes, purpose: str, now: int) -> Link | None:
    """The tenant's link with this digest, used or not; None for one that there is not or that ran out."""
    c = t.customer_link.c
    mine = (c.tenant_id == tenant_id, c.digest == digest, c.purpose == purpose, c.expires_at > now)
    columns = (c.customer_id, c.used_at, c.created_at, c.detail)
    row = (await connection.execute(select(*columns).where(*mine))).one_or_none()
    if row is None:
        return None
    return Link(customer_id=row.customer_id, used_at=row.used_at, created_at=row.created_at, detail=row.detail or {})


async def use_link(connection: AsyncConnection, tenant_id: int, digest: bytes, now: int) -> bool:
    """Use up a link; False when it was used before."""
    c = t.customer_link.c
    unused = (c.tenant_id == tenant_id, c.digest == digest, c.used_at.is_(None), c.expires_at > now)
    return (await connection.execute(update(t.customer_link).where(*unused).values(used_at=now))).rowcount == 1


async def drop_links(connection: AsyncConnection, tenant_id: int, customer_id: str, *purposes: str) -> None:
    """Void the customer's unused links of these purposes."""
    c = t.customer_link.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.purpose.in_(purposes), c.used_at.is_(None))
    await connection.execute(delete(t.customer_link).where(*mine))
