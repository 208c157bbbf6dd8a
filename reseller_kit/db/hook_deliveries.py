"""A tenant's webhook deliveries and the log of their attempts. Sends nothing.

A delivery is added in the transaction of the fact that it tells of, one for each endpoint that chose the event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class HookDelivery(Struct, frozen=True, kw_only=True):
    """An event for one endpoint. `state`: waiting | delivered | failed; times in µs."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    body: str
    state: str
    attempts: int
    due_at: int
    created_at: int
    ended_at: int | None


class HookAttempt(Struct, frozen=True, kw_only=True):
    """How a try ended. `status` None: there was no answer, and `error` says why."""

    delivery_id: str
    created_at: int
    status: int | None
    duration_ms: int
    answer: str
    error: str


_COLUMNS = [t.hook_delivery.c[name] for name in HookDelivery.__struct_fields__]


async def add(connection: AsyncConnection, tenant_id: int, deliveries: Sequence[HookDelivery]) -> None:
    """Put deliveries into the caller's transaction."""
    rows = [{name: getattr(one, name) for name in HookDelivery.__struct_fields__} for one in deliveries]
    await connection.execute(insert(t.hook_delivery), [{**row, "tenant_id": tenant_id} for row in rows])


async def find(connection: AsyncConnection, tenant_id: int, delivery_id: str) -> HookDelivery | None:
    """The tenant's delivery of this id."""
    c = t.hook_delivery.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id, c.id == delivery_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else HookDelivery(**row)


async def page(
    connection: AsyncConnection, tenant_id: int, endpoint_id: str, limit: int, before_id: str | None
) -> list[HookDelivery]:
    """An endpoint's deliveries, newest first; only those before the row `before_id`, if given."""
    c = t.hook_delivery.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id, c.endpoint_id == endpoint_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [HookDelivery(**row) for row in rows.mappings()]


async def attempts_of(
    connection: AsyncConnection, tenant_id: int, delivery_ids: Sequence[str]
) -> dict[str, list[HookAttempt]]:
    """The attempts of each delivery, latest first."""
    c = t.hook_attempt.c
    columns = [c[name] for name in HookAttempt.__struct_fields__]
    mine = select(*columns).where(c.tenant_id == tenant_id, c.delivery_id.in_(delivery_ids)).order_by(c.id.desc())
    found: dict[str, list[HookAttempt]] = {}
    for row in (await connection.execute(mine)).mappings():
        found.setdefault(row["delivery_id"], []).append(HookAttempt(**row))
    return found


async def again(connection: AsyncConnection, tenant_id: int, delivery_id: str, now: int) -> bool:
    """Take an ended delivery up from the first attempt, due now; False for one that waits already."""
    c = t.hook_delivery.c
    ended = (c.tenant_id == tenant_id, c.id == delivery_id, c.state != "waiting")
    values = {"state": "waiting", "attempts": 0, "claim": None, "due_at": now, "ended_at": None}
    return (await connection.execute(update(t.hook_delivery).where(*ended).values(values))).rowcount == 1


async def hasten(connection: AsyncConnection, tenant_id: int, delivery_id: str, now: int) -> None:
    """Let a delivery that waits for its next attempt be tried now, unless it is being tried."""
    c = t.hook_delivery.c
    resting = (c.tenant_id == tenant_id, c.id == delivery_id, c.state == "waiting", c.claim.is_(None))
    await connection.execute(update(t.hook_delivery).where(*resting).values(due_at=now))


async def conclude(connection: AsyncConnection, tenant_id: int, delivery_id: str, claim: str, **values: Any) -> bool:
    """Write how a claimed attempt ended; False when another process has claimed the delivery meanwhile."""
    c = t.hook_delivery.c
    held = (c.tenant_id == tenant_id, c.id == delivery_id, c.claim == claim, c.state == "waiting")
    return (await connection.execute(update(t.hook_delivery).where(*held).values(claim=None, **values))).rowcount == 1


async def log(connection: AsyncConnection, tenant_id: int, attempt: HookAttempt) -> None:
    """Keep how an attempt ended."""
    row = {name: getattr(attempt, name) for name in HookAttempt.__struct_fields__}
    await connection.execute(insert(t.hook_attempt).values({**row, "tenant_id": tenant_id}))
