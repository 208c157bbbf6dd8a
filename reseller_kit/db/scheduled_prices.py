"""A tenant's scheduled changes of retail prices. Publishes and derives nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.manifest.schedule import ScheduledChange
from . import tables as t


class StoredChange(Struct, frozen=True, kw_only=True):
    """A scheduled change with how it stands: waiting | begun | held | cancelled. Times in µs."""

    change: ScheduledChange
    state: str
    reason: str | None
    actor: str
    created_at: int
    ended_at: int | None


async def add(connection: AsyncConnection, tenant_id: int, change: ScheduledChange, actor: str, now: int) -> None:
    """A change that waits for its moment."""
    row = {
        "id": change.id,
        "tenant_id": tenant_id,
        "match": change.match,
        "terms": {
            "markup_ppm": change.markup_ppm,
            "prices": dict(change.prices),
            "allow_loss": change.allow_loss,
            "group": change.group,
        },
        "effective_from": change.effective_from,
        "actor": actor,
        "created_at": now,
    }
    await connection.execute(insert(t.scheduled_price).values(row))


async def end(
    connection: AsyncConnection, tenant_id: int, change_id: str, *, state: str, reason: str | None, now: int
) -> bool:
    """A waiting change begins, is held back or is cancelled; False when it does not wait any more."""
    c = t.scheduled_price.c
    waiting = update(t.scheduled_price).where(c.tenant_id == tenant_id, c.id == change_id, c.state == "waiting")
    return (await connection.execute(waiting.values(state=state, reason=reason, ended_at=now))).rowcount == 1


async def find(connection: AsyncConnection, tenant_id: int, change_id: str) -> StoredChange | None:
    """One of the tenant's changes, whatever its state."""
    c = t.scheduled_price.c
    statement = select(t.scheduled_price).where(c.tenant_id == tenant_id, c.id == change_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _stored(row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[StoredChange]:
    """The tenant's changes, the latest made first; only those before the row `before_id`, if given."""
    c = t.scheduled_price.c
    statement = select(t.scheduled_price).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_stored(row) for row in rows.mappings()]


async def held(connection: AsyncConnection, tenant_id: int, since: int) -> list[StoredChange]:
    """The tenant's changes that were held back since then."""
    c = t.scheduled_price.c
    statement = select(t.scheduled_price).where(c.tenant_id == tenant_id, c.state == "held", c.ended_at >= since)
    return [_stored(row) for row in (await connection.execute(statement.order_by(c.id))).mappings()]


def change_of(row: Mapping[str, Any]) -> ScheduledChange:
    """The change that a stored row describes."""
    terms: Mapping[str, Any] = row["terms"]
    return msgspec.convert(
        {**terms, "id": row["id"], "match": row["match"], "effective_from": row["effective_from"]}, ScheduledChange
    )


def _stored(row: RowMapping) -> StoredChange:
    own = {name: row[name] for name in ("state", "reason", "actor", "created_at", "ended_at")}
    return StoredChange(change=change_of(dict(row)), **own)
