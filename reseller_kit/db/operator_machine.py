"""What the database knows of clocks and backups, for `doctor`. Reads only, of the whole deployment."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

BACKUP: Final = "db.backup"
"""The audit log's word for a backup."""


async def latest_moment(connection: AsyncConnection) -> int:
    """The latest moment (µs) that any process wrote: no clock may be far behind it. 0 where nothing was written."""
    c = t.audit_log.c
    logged = select(c.created_at).order_by(c.id.desc()).limit(1)
    renewed = select(func.max(t.lease.c.renewed_at))
    return max(await connection.scalar(logged) or 0, await connection.scalar(renewed) or 0)


async def database_clock(connection: AsyncConnection) -> int | None:
    """The database server's own time (µs); None for a file, which has none."""
    if connection.dialect.name != "postgresql":
        return None
    seconds = await connection.scalar(select(func.extract("epoch", func.clock_timestamp())))
    return int(float(seconds or 0) * 1_000_000)


async def last_backup(connection: AsyncConnection) -> int | None:
    """When `db backup` was last run (µs)."""
    c = t.audit_log.c
    at: int | None = await connection.scalar(select(func.max(c.created_at)).where(c.action == BACKUP))
    return at


async def first_money(connection: AsyncConnection) -> int | None:
    """When the first transaction was booked (µs): from then on there is something to lose."""
    at: int | None = await connection.scalar(select(func.min(t.txn.c.created_at)))
    return at


async def live_hosts(connection: AsyncConnection) -> list[str]:
    """Every host that is served, of tenants that are not archived."""
    d, c = t.domain.c, t.tenant.c
    statement = select(d.host).join(t.tenant, c.id == d.tenant_id).where(d.state == "live", c.status != "archived")
    return list(await connection.scalars(statement.order_by(d.host)))
