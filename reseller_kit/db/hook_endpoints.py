"""A tenant's webhook endpoints: where its events go, and the sealed secrets that sign them. Opens no secret."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class HookEndpoint(Struct, frozen=True, kw_only=True):
    """An endpoint as stored; times in µs. `disabled_why`: hand, gone or failing, "" while it is on."""

    id: str
    tenant_id: int
    url: str
    description: str
    events: tuple[str, ...]
    sealed_by: str
    sealed: bytes
    old_sealed_by: str | None = None
    old_sealed: bytes | None = None
    old_until: int | None = None
    failing_since: int | None = None
    disabled_at: int | None = None
    disabled_why: str = ""
    created_at: int

    def __repr__(self) -> str:
        return f"HookEndpoint({self.id})"


_COLUMNS = [t.hook_endpoint.c[name] for name in HookEndpoint.__struct_fields__]


async def add(connection: AsyncConnection, tenant_id: int, endpoint: HookEndpoint) -> None:
    """Store a new endpoint."""
    row = {name: getattr(endpoint, name) for name in HookEndpoint.__struct_fields__}
    await connection.execute(
        insert(t.hook_endpoint).values({**row, "events": list(endpoint.events), "tenant_id": tenant_id})
    )


async def find(
    connection: AsyncConnection, tenant_id: int, endpoint_id: str, *, lock: bool = False
) -> HookEndpoint | None:
    """The tenant's endpoint of this id. `lock` keeps others from changing it meanwhile."""
    c = t.hook_endpoint.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id, c.id == endpoint_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _endpoint(row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[HookEndpoint]:
    """The tenant's endpoints, newest first; only those before the row `before_id`, if given."""
    c = t.hook_endpoint.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_endpoint(row) for row in rows.mappings()]


async def switched_on(connection: AsyncConnection, tenant_id: int) -> list[tuple[str, tuple[str, ...]]]:
    """(id, chosen events) of each endpoint that is told of anything."""
    c = t.hook_endpoint.c
    rows = await connection.execute(
        select(c.id, c.events).where(c.tenant_id == tenant_id, c.disabled_at.is_(None)).order_by(c.id)
    )
    return [(row.id, tuple(row.events)) for row in rows]


async def count(connection: AsyncConnection, tenant_id: int) -> int:
    """How many endpoints the tenant has."""
    c = t.hook_endpoint.c
    return int(await connection.scalar(select(func.count()).where(c.tenant_id == tenant_id)) or 0)


async def change(connection: AsyncConnection, tenant_id: int, endpoint_id: str, **values: Any) -> None:
    """Write columns of an endpoint."""
    c = t.hook_endpoint.c
    statement = update(t.hook_endpoint).where(c.tenant_id == tenant_id, c.id == endpoint_id)
    await connection.execute(statement.values(values))


async def note_failure(connection: AsyncConnection, tenant_id: int, endpoint_id: str, now: int) -> int:
    """A delivery failed: since when it has been so (µs)."""
    c = t.hook_endpoint.c
    mine = (c.tenant_id == tenant_id, c.id == endpoint_id)
    since = func.coalesce(c.failing_since, now)
    found = await connection.scalar(
        update(t.hook_endpoint).where(*mine).values(failing_since=since).returning(c.failing_since)
    )
    return now if found is None else int(found)


async def note_success(connection: AsyncConnection, tenant_id: int, endpoint_id: str) -> None:
    """A delivery went well."""
    c = t.hook_endpoint.c
    failing = (c.tenant_id == tenant_id, c.id == endpoint_id, c.failing_since.is_not(None))
    await connection.execute(update(t.hook_endpoint).where(*failing).values(failing_since=None))


async def disable(connection: AsyncConnection, tenant_id: int, endpoint_id: str, why: str, now: int) -> bool:
    """Send it nothing more; what waits for it is given up. False for one that was off before."""
    c, d = t.hook_endpoint.c, t.hook_delivery.c
    on = (c.tenant_id == tenant_id, c.id == endpoint_id, c.disabled_at.is_(None))
    off = update(t.hook_endpoint).where(*on).values(disabled_at=now, disabled_why=why)
    if not (await connection.execute(off)).rowcount:
        return False
    # What is being tried right now ends by itself.
    resting = (d.tenant_id == tenant_id, d.endpoint_id == endpoint_id, d.state == "waiting", d.claim.is_(None))
    await connection.execute(update(t.hook_delivery).where(*resting).values(state="failed", ended_at=now))
    return True


async def remove(connection: AsyncConnection, tenant_id: int, endpoint_id: str) -> bool:
    """Delete an endpoint and its log; False when there is none."""
    c, d, a = t.hook_endpoint.c, t.hook_delivery.c, t.hook_attempt.c
    # First its row, so that no event is put out for it meanwhile.
    mine = select(c.id).where(c.tenant_id == tenant_id, c.id == endpoint_id).with_for_update()
    if await connection.scalar(mine) is None:
        return False
    own = select(d.id).where(d.tenant_id == tenant_id, d.endpoint_id == endpoint_id)
    await connection.execute(delete(t.hook_attempt).where(a.tenant_id == tenant_id, a.delivery_id.in_(own)))
    await connection.execute(delete(t.hook_delivery).where(d.tenant_id == tenant_id, d.endpoint_id == endpoint_id))
    await connection.execute(delete(t.hook_endpoint).where(c.tenant_id == tenant_id, c.id == endpoint_id))
    return True


def _endpoint(row: Any) -> HookEndpoint:
    old = row["old_sealed"]
    bytes_of = {"sealed": bytes(row["sealed"]), "old_sealed": None if old is None else bytes(old)}
    return HookEndpoint(**{**row, **bytes_of, "events": tuple(row["events"])})
