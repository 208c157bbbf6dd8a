"""Claims webhook deliveries of every tenant, each for one process at a time, and drops old ones. Sends nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from . import tables as t

CLAIM_US: Final = 60_000_000
"""How long a claim holds: several times what one attempt may take."""


class ClaimedDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that this process alone tries until its claim runs out."""

    id: str
    tenant_id: int
    endpoint_id: str
    event_id: str
    body: str
    attempts: int
    claim: str


async def due(connection: AsyncConnection, now: int, limit: int) -> list[tuple[int, str, int]]:
    """(tenant, endpoint, how many) of what is due, those that wait longest first."""
    c = t.hook_delivery.c
    statement = (
        select(c.tenant_id, c.endpoint_id, func.count())
        .where(c.state == "waiting", c.due_at <= now)
        .group_by(c.tenant_id, c.endpoint_id)
        .order_by(func.min(c.due_at))
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in await connection.execute(statement)]


async def claim(
    connection: AsyncConnection, tenant_id: int, endpoint_id: str, owner: str, *, now: int, limit: int
) -> list[ClaimedDelivery]:
    """An endpoint's deliveries that are due, the oldest first, claimed under the one-time name `owner`."""
    c = t.hook_delivery.c
    wanted = (c.tenant_id == tenant_id, c.endpoint_id == endpoint_id, c.state == "waiting", c.due_at <= now)
    waiting = select(c.id).where(*wanted).order_by(c.id).limit(limit).with_for_update(skip_locked=True)
    # In a statement of its own: within the update PostgreSQL may look once a row, and take more than `limit`.
    ids = list(await connection.scalars(waiting))
    statement = (
        update(t.hook_delivery)
        .where(c.tenant_id == tenant_id, c.id.in_(ids))
        .values(claim=owner, due_at=now + CLAIM_US, attempts=c.attempts + 1)
        .returning(*(c[name] for name in ClaimedDelivery.__struct_fields__))
    )
    rows = await connection.execute(statement)
    return sorted((ClaimedDelivery(**row) for row in rows.mappings()), key=lambda one: one.id)


async def drop_old(connection: AsyncConnection, before: int, limit: int) -> int:
    """Delete up to `limit` deliveries that were put out before a moment (µs), with their log; how many."""
    c, a = t.hook_delivery.c, t.hook_attempt.c
    # Ids are in the order of time, and the only index that this can go by.
    past = (c.id < lowest_id("whd", before), c.created_at < before, c.state != "waiting")
    old = select(c.id).where(*past).order_by(c.id).limit(limit)
    ids = list(await connection.scalars(old))
    if ids:
        await connection.execute(delete(t.hook_attempt).where(a.delivery_id.in_(ids)))
        await connection.execute(delete(t.hook_delivery).where(c.id.in_(ids)))
    return len(ids)
