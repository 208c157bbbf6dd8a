"""Leases of serving processes, and the open holds of those that died. Resolves nothing itself."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us


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


async def take(connection: AsyncConnection, owner: str, epoch: int, schema: str) -> None:
    """A new lease for `owner`, whose settles are stamped behind what the rollups may have taken in."""
    m = t.rollup_mark.c
    # The lock keeps the fence where it is until this lease can be seen by who raises it.
    fence = await connection.scalar(select(m.at).where(m.name == "fence").with_for_update(read=True))
    await connection.execute(
        insert(t.lease).values(owner=owner, epoch=epoch, renewed_at=now_us(), schema=schema, settled_from=fence or 0)
    )


async def renew(connection: AsyncConnection, owner: str, epoch: int) -> bool:
    """Renew a lease; False when it was taken away."""
    c = t.lease.c
    result = await connection.execute(
        update(t.lease).where(c.owner == owner, c.epoch == epoch).values(renewed_at=now_us())
    )
    return result.rowcount == 1


async def release(connection: AsyncConnection, owner: str) -> None:
    """Give a lease back at a clean end."""
    await connection.execute(delete(t.lease).where(t.lease.c.owner == owner))


async def drop_stale(connection: AsyncConnection, valid_us: int) -> int:
    """Take away the leases that were not renewed for `valid_us`; how many."""
    result = await connection.execute(delete(t.lease).where(t.lease.c.renewed_at < now_us() - valid_us))
    return result.rowcount


async def orphan_holds(connection: AsyncConnection, limit: int) -> list[OrphanHold]:
    """The oldest open call holds that no living process owns."""
    h = t.hold.c
    columns = [h[name] for name in OrphanHold.__struct_fields__]
    owned = exists().where(t.lease.c.owner == h.owner, t.lease.c.epoch == h.epoch)
    statement = select(*columns).where(h.state == "open", h.kind == "call", ~owned)
    rows = await connection.execute(statement.order_by(h.request_id).limit(limit))
    return [OrphanHold(**row) for row in rows.mappings()]


async def open_holds(connection: AsyncConnection, owner: str, before_us: int) -> list[OrphanHold]:
    """Open holds of one owner that are older than `before_us`."""
    h = t.hold.c
    columns = [h[name] for name in OrphanHold.__struct_fields__]
    statement = select(*columns).where(h.state == "open", h.kind == "call", h.owner == owner, h.created_at < before_us)
    return [OrphanHold(**row) for row in (await connection.execute(statement)).mappings()]
