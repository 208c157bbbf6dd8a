"""Tenants and what belongs to a tenant itself: hosts, members, suspension. Knows nothing of its customers."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.tenant import PLATFORM_SLUG
from . import tables as t
from .engine import now_us
from .scope import admit

Connection: TypeAlias = AsyncConnection
"""What queries run on, for flows that pass it from one query to the next."""


class Tenant(Struct, frozen=True, kw_only=True):
    """A tenant as stored. `settings` is as in tenants.toml; times in µs. `review_asked_at`: see `ask_for_review`.

    `offboarded_at`, `erase_at` and `erased_at`: see `db.offboarding`.
    """

    id: int
    slug: str
    name: str
    status: str
    suspended_at: int | None
    suspend_reason: str | None
    theme: str
    timezone: str
    settings: dict[str, Any]
    created_at: int
    review_asked_at: int | None = None
    offboarded_at: int | None = None
    erase_at: int | None = None
    erased_at: int | None = None


class Domain(Struct, frozen=True, kw_only=True):
    """A host of a tenant. `state`: live | detached | tombstone."""

    host: str
    role: str
    is_primary: bool
    state: str


class Member(Struct, frozen=True, kw_only=True):
    """A log-in of the reseller's team."""

    email: str
    role: str
    status: str
    created_at: int


async def find(connection: AsyncConnection, slug: str) -> Tenant | None:
    """The tenant of this slug."""
    row = (await connection.execute(select(t.tenant).where(t.tenant.c.slug == slug))).mappings().one_or_none()
    return None if row is None else Tenant(**row)


async def slugs(connection: AsyncConnection, limit: int) -> list[str]:
    """The first slugs in alphabetical order, without the operator's own."""
    c = t.tenant.c
    statement = select(c.slug).where(c.slug != PLATFORM_SLUG).order_by(c.slug).limit(limit)
    return list(await connection.scalars(statement))


async def platform_settings(connection: AsyncConnection) -> dict[str, Any]:
    """`[platform]` as applied; empty before the first apply."""
    return dict(await connection.scalar(select(t.platform.c.settings)) or {})


async def add(
    connection: AsyncConnection,
    *,
    slug: str,
    name: str,
    status: str,
    theme: str,
    timezone: str,
    settings: dict[str, Any],
) -> int:
    """A new tenant's row, admitted to the transaction; its id. Hosts and accounts are made apart."""
    row = {
        "slug": slug,
        "name": name,
        "status": status,
        "theme": theme,
        "timezone": timezone,
        "settings": settings,
        "created_at": now_us(),
    }
    tenant_id = int(await connection.scalar(insert(t.tenant).values(row).returning(t.tenant.c.id)) or 0)
    await admit(connection, tenant_id)
    return tenant_id


async def set_suspended(connection: AsyncConnection, tenant_id: int, at: int | None, reason: str | None) -> None:
    """Set or lift (`at` None) the suspension."""
    statement = update(t.tenant).where(t.tenant.c.id == tenant_id)
    await connection.execute(statement.values(suspended_at=at, suspend_reason=reason))


async def ask_for_review(connection: AsyncConnection, tenant_id: int, now: int) -> bool:
    """Note since when (µs) the team of a draft waits for the operator to open it; False when it does already."""
    c = t.tenant.c
    waiting = update(t.tenant).where(c.id == tenant_id, c.status == "draft", c.review_asked_at.is_(None))
    return (await connection.execute(waiting.values(review_asked_at=now))).rowcount == 1


async def domains(connection: AsyncConnection, tenant_id: int) -> list[Domain]:
    """The tenant's hosts, the primary one first, then in the order in which they were added."""
    c = t.domain.c
    statement = select(c.host, c.role, c.is_primary, c.state).where(c.tenant_id == tenant_id)
    rows = await connection.execute(statement.order_by(c.is_primary.desc(), c.id))
    return [Domain(**row) for row in rows.mappings()]


async def add_domain(connection: AsyncConnection, tenant_id: int, host: str, role: str, *, is_primary: bool) -> None:
    """A live host of the tenant; the host must be free."""
    row = {
        "tenant_id": tenant_id,
        "host": host,
        "role": role,
        "is_primary": is_primary,
        "state": "live",
        "created_at": now_us(),
    }
    await connection.execute(insert(t.domain).values(row))


async def members(connection: AsyncConnection, tenant_id: int) -> list[Member]:
    """The reseller's team, by e-mail address."""
    c = t.member.c
    statement = select(c.email, c.role, c.status, c.created_at).where(c.tenant_id == tenant_id)
    rows = await connection.execute(statement.order_by(c.email))
    return [Member(**row) for row in rows.mappings()]


async def add_member(connection: AsyncConnection, tenant_id: int, email: str, role: str) -> None:
    """A member who was invited."""
    row = {"tenant_id": tenant_id, "email": email, "role": role, "status": "invited", "created_at": now_us()}
    await connection.execute(insert(t.member).values(row))
