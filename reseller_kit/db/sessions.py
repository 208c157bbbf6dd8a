"""Sessions of customers, the browsers they are known by, and challenges that wait for an answer. Decides nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class SessionRow(Struct, frozen=True, kw_only=True):
    """A session as its customer sees it. Times in µs."""

    id: str
    agent: str
    place: str
    created_at: int
    seen_at: int
    expires_at: int


class LiveSession(Struct, frozen=True, kw_only=True):
    """A session that has not expired, and its customer as of now."""

    id: str
    customer_id: str
    email: str
    name: str
    status: str
    verified_at: int | None
    locale: str | None
    timezone: str | None
    delete_at: int | None
    group_id: str | None
    restricted_at: int | None
    restricted_until: int | None
    restrict_reason: str | None
    created_at: int
    seen_at: int


async def add(
    connection: AsyncConnection, tenant_id: int, customer_id: str, *, digest: bytes, session: SessionRow
) -> None:
    """A new session, by the keyed hash of its token."""
    row = {name: getattr(session, name) for name in SessionRow.__struct_fields__}
    values = {**row, "digest": digest, "tenant_id": tenant_id, "customer_id": customer_id}
    await connection.execute(insert(t.customer_session).values(values))


_s, _c = t.customer_session.c, t.customer.c
_FIND: Final = (
    select(
        _s.id,
        _s.customer_id,
        _c.email,
        _c.name,
        _c.status,
        _c.verified_at,
        _c.locale,
        _c.timezone,
        _c.delete_at,
        _c.group_id,
        _c.restricted_at,
        _c.restricted_until,
        _c.restrict_reason,
        _s.created_at,
        _s.seen_at,
    )
    .join(t.customer, (_c.id == _s.customer_id) & (_c.tenant_id == _s.tenant_id))
    .where(
        _s.tenant_id == bindparam("tenant_id"),
        _s.digest == bindparam("digest"),
        _s.expires_at > bindparam("now"),
        _s.seen_at > bindparam("idle_since"),
    )
)
"""Every page of a customer asks it; making it takes longer than asking it."""


async def find(
    connection: AsyncConnection, tenant_id: int, digest: bytes, *, now: int, idle_since: int
) -> LiveSession | None:
    """The tenant's session with this digest, unless it expired or was not used since `idle_since`."""
    values = {"tenant_id": tenant_id, "digest": digest, "now": now, "idle_since": idle_since}
    row = (await connection.execute(_FIND, values)).mappings().one_or_none()
    return None if row is None else LiveSession(**row)


async def touch(connection: AsyncConnection, tenant_id: int, digest: bytes, now: int) -> None:
    """The session was used."""
    c = t.customer_session.c
    statement = update(t.customer_session).where(c.tenant_id == tenant_id, c.digest == digest)
    await connection.execute(statement.values(seen_at=now))


async def of_customer(
    connection: AsyncConnection, tenant_id: int, customer_id: str, *, now: int, idle_since: int
) -> list[SessionRow]:
    """The customer's sessions that still hold, the latest used first."""
    c = t.customer_session.c
    columns = [c[name] for name in SessionRow.__struct_fields__]
    live = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.expires_at > now, c.seen_at > idle_since)
    rows = await connection.execute(select(*columns).where(*live).order_by(c.seen_at.desc(), c.id.desc()))
    return [SessionRow(**row) for row in rows.mappings()]


async def end(connection: AsyncConnection, tenant_id: int, digest: bytes) -> None:
    """End the session with this digest, if there is one."""
    c = t.customer_session.c
    await connection.execute(delete(t.customer_session).where(c.tenant_id == tenant_id, c.digest == digest))


async def end_one(connection: AsyncConnection, tenant_id: int, customer_id: str, session_id: str) -> bool:
    """End one of the customer's sessions; False for one that is not the customer's."""
    c = t.customer_session.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.id == session_id)
    return (await connection.execute(delete(t.customer_session).where(*mine))).rowcount == 1


async def end_all(connection: AsyncConnection, tenant_id: int, customer_id: str, *, but: str | None = None) -> int:
    """End the customer's sessions, all but the one with the id `but`; how many there were."""
    c = t.customer_session.c
    statement = delete(t.customer_session).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    if but is not None:
        statement = statement.where(c.id != but)
    return (await connection.execute(statement)).rowcount


async def knows_device(connection: AsyncConnection, tenant_id: int, customer_id: str, digest: bytes) -> bool:
    """Whether the customer has logged in with this browser before."""
    c = t.known_device.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.digest == digest)
    return await connection.scalar(select(c.seen_at).where(*mine)) is not None


async def knows_any_device(connection: AsyncConnection, tenant_id: int, customer_id: str) -> bool:
    """Whether the customer has logged in before."""
    c = t.known_device.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    return await connection.scalar(select(c.seen_at).where(*mine).limit(1)) is not None


async def remember_device(
    connection: AsyncConnection, tenant_id: int, customer_id: str, digest: bytes, now: int
) -> None:
    """The customer logged in with this browser."""
    row = {"digest": digest, "tenant_id": tenant_id, "customer_id": customer_id, "seen_at": now}
    insert_ = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert_(t.known_device).values(row)
    own = t.known_device.c.tenant_id == tenant_id
    seen = statement.on_conflict_do_update(index_elements=["digest"], set_={"seen_at": now}, where=own)
    await connection.execute(seen)


async def forget_devices(connection: AsyncConnection, tenant_id: int, customer_id: str) -> None:
    """No browser of the customer is known any more."""
    c = t.known_device.c
    await connection.execute(delete(t.known_device).where(c.tenant_id == tenant_id, c.customer_id == customer_id))


async def ask(
    connection: AsyncConnection,
    tenant_id: int,
    customer_id: str | None,
    *,
    digest: bytes,
    purpose: str,
    expires_at: int,
) -> None:
    """A challenge that waits for its answer, by the keyed hash of its token."""
    row = {
        "digest": digest,
        "tenant_id": tenant_id,
        "customer_id": customer_id,
        "purpose": purpose,
        "expires_at": expires_at,
    }
    await connection.execute(insert(t.challenge).values(row))


async def asked(
    connection: AsyncConnection, tenant_id: int, *, digest: bytes, purpose: str, now: int
) -> tuple[str | None] | None:
    """(Whose challenge it is,) without taking it; None for one that there is not or that ran out."""
    c = t.challenge.c
    waiting = (c.tenant_id == tenant_id, c.digest == digest, c.purpose == purpose, c.expires_at > now)
    row = (await connection.execute(select(c.customer_id).where(*waiting))).one_or_none()
    return None if row is None else (row.customer_id,)


async def take(
    connection: AsyncConnection, tenant_id: int, *, digest: bytes, purpose: str, now: int
) -> tuple[str | None] | None:
    """As `asked`, and nobody else can take it any more."""
    c = t.challenge.c
    waiting = (c.tenant_id == tenant_id, c.digest == digest, c.purpose == purpose, c.expires_at > now)
    statement = delete(t.challenge).where(*waiting).returning(c.customer_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else (row.customer_id,)
