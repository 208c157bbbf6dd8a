"""Leases of serving processes, and the open holds of those that died. Resolves nothing itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, delete, exists, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from . import sqlite_driver
from . import tables as t
from .engine import Database, now_us

_BRIEF: Final = text("SET LOCAL idle_in_transaction_session_timeout = '2s'")
_RENEW: Final = text("UPDATE lease SET renewed_at = :now WHERE owner = :owner AND epoch = :epoch")


class OrphanHold(Struct, frozen=True, kw_only=True):
    """An open hold whose owner has no lease, with what a usage record of it needs."""

    request_id: str
    tenant_id: int
    customer_id: str
    wallet_id: int
    reseller_wallet_id: int
    key_id: str
    window_started_at: int
    retail_version: str
    wholesale_version: str
    owner: str
    epoch: int
    call: str
    checkpoint: str | None
    created_at: int


async def be_brief(connection: AsyncConnection) -> None:
    """Let PostgreSQL end this transaction should the process stand still in it: its locks hold up all who sweep."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_BRIEF)


async def take(connection: AsyncConnection, owner: str, epoch: int, schema: str) -> None:
    """A new lease for `owner`, whose settles are stamped behind what the rollups may have taken in."""
    m = t.rollup_mark.c
    # The lock keeps the fence where it is until this lease can be seen by who raises it.
    fence = await connection.scalar(select(m.at).where(m.name == "fence").with_for_update(read=True))
    await connection.execute(
        insert(t.lease).values(owner=owner, epoch=epoch, renewed_at=now_us(), schema=schema, settled_from=fence or 0)
    )


async def renew(db: Database, owner: str, epoch: int) -> bool:
    """Renew a lease; False when it was taken away."""
    if db.backend == "sqlite":
        return await db.in_one_trip(lambda connection: _renew_at_once(connection, owner, epoch))
    async with db.keep_lease() as connection:
        await be_brief(connection)
        return (await connection.execute(_RENEW, _renewal(owner, epoch))).rowcount == 1


def _renew_at_once(connection: sqlite3.Connection, owner: str, epoch: int) -> bool:
    """Each second, and calls wait for the lock: it is not held from one turn of the event loop to the next."""
    with sqlite_driver.transaction(connection):
        return connection.execute(str(_RENEW), _renewal(owner, epoch)).rowcount == 1


def _renewal(owner: str, epoch: int) -> dict[str, object]:
    return {"owner": owner, "epoch": epoch, "now": now_us()}


async def begin_again(connection: AsyncConnection, owner: str, epoch: int, schema: str) -> int:
    """A lease behind a lost one; its epoch, which is later than `epoch` and any that is on record."""
    c = t.lease.c
    known = (await connection.execute(select(c.epoch).where(c.owner == owner))).scalar_one_or_none()
    await release(connection, owner)
    later = max(epoch, known or 0) + 1
    await take(connection, owner, later, schema)
    return later


async def release(connection: AsyncConnection, owner: str) -> None:
    """Give a lease back at a clean end."""
    await connection.execute(delete(t.lease).where(t.lease.c.owner == owner))


async def any_stale(connection: AsyncConnection, judge: str, valid_us: int) -> bool:
    """Whether `drop_stale` would take any away now."""
    return bool(await connection.scalar(select(exists().where(*_stale(judge, valid_us)))))


async def drop_stale(connection: AsyncConnection, judge: str, valid_us: int) -> int:
    """Take away the leases that were not renewed for `valid_us`, all but that of `judge`; how many."""
    return (await connection.execute(delete(t.lease).where(*_stale(judge, valid_us)))).rowcount


def _stale(judge: str, valid_us: int) -> tuple[ColumnElement[bool], ...]:
    c = t.lease.c
    return c.renewed_at < now_us() - valid_us, c.owner != judge


async def orphan_holds(connection: AsyncConnection, limit: int) -> list[OrphanHold]:
    """The oldest open call holds that no living process owns."""
    h = t.hold.c
    owned = exists().where(t.lease.c.owner == h.owner, t.lease.c.epoch == h.epoch)
    statement = _open_calls().where(~owned).order_by(h.request_id).limit(limit)
    return [OrphanHold(**row) for row in (await connection.execute(statement)).mappings()]


async def open_ids(connection: AsyncConnection, owner: str, before_us: int) -> list[str]:
    """The calls of one owner's open holds that are older than `before_us`."""
    h = t.hold.c
    statement = select(h.request_id).where(
        h.state == "open", h.kind == "call", h.owner == owner, h.created_at < before_us
    )
    return list((await connection.execute(statement)).scalars())


async def open_holds(connection: AsyncConnection, owner: str, request_ids: Sequence[str]) -> list[OrphanHold]:
    """Those of one owner's call holds that are open."""
    h = t.hold.c
    statement = _open_calls().where(h.owner == owner, h.request_id.in_(request_ids))
    return [OrphanHold(**row) for row in (await connection.execute(statement)).mappings()]


def _open_calls() -> Select[Any]:
    h = t.hold.c
    return select(*[h[name] for name in OrphanHold.__struct_fields__]).where(h.state == "open", h.kind == "call")
