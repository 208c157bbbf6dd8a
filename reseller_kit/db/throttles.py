"""Counts of attempts, by the keyed hash of who made them. Decides nothing; see `core.throttle`."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.throttle import Count
from . import tables as t


async def find(connection: AsyncConnection, tenant_id: int, kind: str, digest: bytes) -> Count:
    """What is known of a subject; nothing is a count of 0."""
    c = t.throttle.c
    mine = (c.tenant_id == tenant_id, c.kind == kind, c.digest == digest)
    row = (await connection.execute(select(c.attempts, c.next_at, c.last_at).where(*mine))).one_or_none()
    return Count() if row is None else Count(row.attempts, row.next_at, row.last_at)


async def lock(connection: AsyncConnection, tenant_id: int, kind: str, digest: bytes) -> Count:
    """As `find`, and nobody else counts the subject until the transaction ends."""
    c = t.throttle.c
    if connection.dialect.name == "postgresql":
        # A row to lock: otherwise two first attempts at once would both be the first.
        nothing = {"tenant_id": tenant_id, "kind": kind, "digest": digest, "attempts": 0, "next_at": 0, "last_at": 0}
        await connection.execute(postgresql.insert(t.throttle).values(nothing).on_conflict_do_nothing())
        mine = (c.tenant_id == tenant_id, c.kind == kind, c.digest == digest)
        await connection.execute(select(c.attempts).where(*mine).with_for_update())
    return await find(connection, tenant_id, kind, digest)


async def put(connection: AsyncConnection, tenant_id: int, kind: str, digest: bytes, count: Count) -> None:
    """Store a subject's count."""
    values = {"attempts": count.attempts, "next_at": count.next_at, "last_at": count.last_at}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(t.throttle).values(tenant_id=tenant_id, kind=kind, digest=digest, **values)
    keys = ["tenant_id", "kind", "digest"]
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


async def clear(connection: AsyncConnection, tenant_id: int, kind: str, digest: bytes) -> None:
    """Forget a subject's attempts."""
    c = t.throttle.c
    mine = (c.tenant_id == tenant_id, c.kind == kind, c.digest == digest)
    await connection.execute(delete(t.throttle).where(*mine))
