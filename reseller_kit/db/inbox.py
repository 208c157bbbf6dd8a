"""The inbox: what providers delivered, each event once. Verifies nothing and opens no body."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

MAX_ATTEMPTS: Final = 12
_FIRST_DELAY_US: Final = 1_000_000
_LONGEST_DELAY_US: Final = 3_600_000_000
_MAX_ERROR: Final = 300


class NewDelivery(Struct, frozen=True, kw_only=True):
    """A verified delivery. `fact`: what it tells, as JSON-ready values; `sealed`: its raw body. Times in µs."""

    provider: str
    event_id: str
    kind: str
    occurred_at: int
    fact: dict[str, Any] | None
    key_id: str
    sealed: bytes
    received_at: int


class LastDelivery(Struct, frozen=True, kw_only=True):
    """When a tenant's provider delivered last, and how many deliveries wait or were given up."""

    received_at: int | None
    waiting: int
    parked: int


async def add(connection: AsyncConnection, tenant_id: int, delivery: NewDelivery) -> bool:
    """Store a delivery; False when its event was delivered before."""
    row = {name: getattr(delivery, name) for name in NewDelivery.__struct_fields__}
    row |= {"tenant_id": tenant_id, "due_at": delivery.received_at}
    if delivery.fact is None:
        row["processed_at"] = delivery.received_at
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(t.inbox).values(row).on_conflict_do_nothing()
    return (await connection.execute(statement.returning(t.inbox.c.id))).one_or_none() is not None


async def complete(connection: AsyncConnection, tenant_id: int, delivery_id: int, claim: str, now: int) -> bool:
    """The delivery is worked in; False when another process has claimed it meanwhile."""
    return await _end(connection, tenant_id, delivery_id, claim, {"processed_at": now, "last_error": None})


async def fail(
    connection: AsyncConnection, tenant_id: int, delivery_id: int, claim: str, *, error: str, now: int
) -> bool:
    """The delivery could not be worked in: try again after a growing delay, or park it after the last attempt."""
    c = t.inbox.c
    mine = select(c.attempts).where(c.tenant_id == tenant_id, c.id == delivery_id, c.claim == claim)
    attempts = await connection.scalar(mine) or 0
    delay = min(_FIRST_DELAY_US << max(attempts - 1, 0), _LONGEST_DELAY_US)
    values: dict[str, Any] = {"last_error": error[:_MAX_ERROR], "due_at": now + delay}
    if attempts >= MAX_ATTEMPTS:
        values["parked_at"] = now
    return await _end(connection, tenant_id, delivery_id, claim, values)


async def last(connection: AsyncConnection, tenant_id: int, provider: str) -> LastDelivery:
    """What a tenant's provider delivered so far."""
    c = t.inbox.c
    mine = (c.tenant_id == tenant_id, c.provider == provider)
    received = await connection.scalar(select(func.max(c.received_at)).where(*mine))
    open_ = select(func.count()).select_from(t.inbox).where(*mine, c.processed_at.is_(None))
    waiting = await connection.scalar(open_.where(c.parked_at.is_(None)))
    parked = await connection.scalar(open_.where(c.parked_at.is_not(None)))
    return LastDelivery(received_at=received, waiting=waiting or 0, parked=parked or 0)


async def _end(
    connection: AsyncConnection, tenant_id: int, delivery_id: int, claim: str, values: dict[str, Any]
) -> bool:
    c = t.inbox.c
    held = update(t.inbox).where(c.tenant_id == tenant_id, c.id == delivery_id, c.claim == claim)
    return (await connection.execute(held.values(claim=None, **values))).rowcount == 1
