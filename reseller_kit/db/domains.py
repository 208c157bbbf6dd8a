"""A tenant's hosts with what proves them, and its claims to more. Asks no DNS and decides on nothing."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.domain import DomainState
from . import tables as t

_MOST: Final = 200


class Hosted(Struct, frozen=True, kw_only=True):
    """A host as stored; times in µs. `found` is what the last check was told, as JSON."""

    tenant_id: int
    host: str
    role: str
    is_primary: bool
    state: DomainState
    source: str
    challenge: str | None
    verified_at: int | None
    checked_at: int | None
    found: Any
    failing_since: int | None
    warned_days: int
    warned_at: int | None
    ended_at: int | None
    released_at: int | None
    secured_at: int | None
    created_at: int


class Claim(Struct, frozen=True, kw_only=True):
    """A host that is to be proven; times in µs."""

    host: str
    role: str
    challenge: str
    expires_at: int
    checked_at: int | None
    found: Any
    created_at: int


async def hosts(connection: AsyncConnection, tenant_id: int) -> list[Hosted]:
    """Every host that the tenant has or had, the primary one first, then in the order in which they came."""
    c = t.domain.c
    statement = (
        select(*_columns(c, Hosted)).where(c.tenant_id == tenant_id).order_by(c.is_primary.desc(), c.id).limit(_MOST)
    )
    return [Hosted(**row) for row in (await connection.execute(statement)).mappings()]


async def find(connection: AsyncConnection, tenant_id: int, host: str) -> Hosted | None:
    """The tenant's host of this name, whatever its state."""
    c = t.domain.c
    statement = select(*_columns(c, Hosted)).where(c.tenant_id == tenant_id, c.host == host)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Hosted(**row)


async def claims(connection: AsyncConnection, tenant_id: int) -> list[Claim]:
    """The tenant's open claims, the latest last."""
    c = t.domain_claim.c
    rows = await connection.execute(
        select(*_columns(c, Claim)).where(c.tenant_id == tenant_id).order_by(c.id).limit(_MOST)
    )
    return [Claim(**row) for row in rows.mappings()]


async def find_claim(connection: AsyncConnection, tenant_id: int, host: str) -> Claim | None:
    """The tenant's claim to this host."""
    c = t.domain_claim.c
    statement = select(*_columns(c, Claim)).where(c.tenant_id == tenant_id, c.host == host)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Claim(**row)


async def counts(connection: AsyncConnection, tenant_id: int) -> tuple[int, int]:
    """How many hosts the tenant has that are no tombstones, and how many claims."""
    c, d = t.domain.c, t.domain_claim.c
    held = select(func.count()).select_from(t.domain).where(c.tenant_id == tenant_id, c.state != "tombstone")
    open_ones = select(func.count()).select_from(t.domain_claim).where(d.tenant_id == tenant_id)
    return await connection.scalar(held) or 0, await connection.scalar(open_ones) or 0


async def put_claim(
    connection: AsyncConnection, tenant_id: int, host: str, *, role: str, challenge: str, expires_at: int, now: int
) -> None:
    """Claim a host, or claim it anew with another challenge."""
    await drop_claim(connection, tenant_id, host)
    row = {
        "tenant_id": tenant_id,
        "host": host,
        "role": role,
        "challenge": challenge,
        "expires_at": expires_at,
        "created_at": now,
    }
    await connection.execute(insert(t.domain_claim).values(row))


async def drop_claim(connection: AsyncConnection, tenant_id: int, host: str) -> bool:
    """Give a claim up; False when there is none."""
    c = t.domain_claim.c
    gone = await connection.execute(delete(t.domain_claim).where(c.tenant_id == tenant_id, c.host == host))
    return gone.rowcount == 1


async def note_claim(
    connection: AsyncConnection, tenant_id: int, host: str, *, found: Any, now: int, next_check_at: int
) -> None:
    """What a check of a claim was told."""
    c = t.domain_claim.c
    narrowed = update(t.domain_claim).where(c.tenant_id == tenant_id, c.host == host)
    await connection.execute(narrowed.values(found=found, checked_at=now, next_check_at=next_check_at))


async def take(
    connection: AsyncConnection, tenant_id: int, host: str, *, role: str, challenge: str | None, source: str, now: int
) -> bool:
    """Give the tenant a host as `verified`; False when another one has it and did not let it go.

    What was known of an earlier holder's time is forgotten.
    """
    c = t.domain.c
    values = {
        "tenant_id": tenant_id,
        "role": role,
        "is_primary": False,
        "state": "verified",
        "source": source,
        "challenge": challenge,
        "verified_at": now,
        "checked_at": None,
        "next_check_at": None,
        "found": None,
        "secured_at": None,
        **_NO_FAILURE,
    }
    free = or_(c.tenant_id == tenant_id, c.released_at.is_not(None))
    if (await connection.execute(update(t.domain).where(c.host == host, free).values(**values))).rowcount:
        return True
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {**values, "host": host, "created_at": now}
    added = insert_(t.domain).values(row).on_conflict_do_nothing().returning(c.id)
    return (await connection.execute(added)).one_or_none() is not None


async def note(
    connection: AsyncConnection,
    tenant_id: int,
    host: str,
    *,
    found: Any,
    now: int,
    next_check_at: int | None,
    state: DomainState,
    failing_since: int | None,
    warned_days: int,
    warned_at: int | None,
) -> None:
    """What a check of a host was told, and where the host stands after it."""
    c = t.domain.c
    values: dict[str, Any] = {
        "found": found,
        "checked_at": now,
        "next_check_at": next_check_at,
        "state": state,
        "failing_since": failing_since,
        "warned_days": warned_days,
        "warned_at": warned_at,
        "ended_at": None,
    }
    if state == "detached":
        values |= {"ended_at": func.coalesce(c.ended_at, now), "is_primary": False}
    await connection.execute(update(t.domain).where(c.tenant_id == tenant_id, c.host == host).values(**values))


async def note_secured(connection: AsyncConnection, tenant_id: int, host: str, now: int) -> None:
    """A live host was reached over https; the first time counts."""
    c = t.domain.c
    first = (c.tenant_id == tenant_id, c.host == host, c.state == "live", c.secured_at.is_(None))
    await connection.execute(update(t.domain).where(*first).values(secured_at=now))


async def set_role(connection: AsyncConnection, tenant_id: int, host: str, role: str) -> None:
    """What a host is for; only a storefront stays the primary one."""
    c = t.domain.c
    values: dict[str, Any] = {"role": role, **({} if role == "storefront" else {"is_primary": False})}
    await connection.execute(update(t.domain).where(c.tenant_id == tenant_id, c.host == host).values(**values))


async def set_primary(connection: AsyncConnection, tenant_id: int, host: str) -> None:
    """Make one live storefront host the primary one, and no other."""
    c = t.domain.c
    await connection.execute(
        update(t.domain).where(c.tenant_id == tenant_id, c.is_primary, c.host != host).values(is_primary=False)
    )
    chosen = update(t.domain).where(c.tenant_id == tenant_id, c.host == host, c.state == "live", c.role == "storefront")
    await connection.execute(chosen.values(is_primary=True))


async def bury(connection: AsyncConnection, tenant_id: int, host: str, *, now: int, released: bool) -> None:
    """Leave a tombstone of a host. `released`: another tenant may prove and take it."""
    c = t.domain.c
    values = {
        "state": "tombstone",
        "is_primary": False,
        "challenge": None,
        "next_check_at": None,
        **_NO_FAILURE,
        "ended_at": now,
        "released_at": now if released else None,
    }
    await connection.execute(update(t.domain).where(c.tenant_id == tenant_id, c.host == host).values(**values))


_NO_FAILURE: Final = {
    "failing_since": None,
    "warned_days": 0,
    "warned_at": None,
    "ended_at": None,
    "released_at": None,
}


def _columns(columns: Any, row: type[Struct]) -> list[Any]:
    return [columns[name] for name in row.__struct_fields__]
