"""How a storefront's calls went, by day and model. Filled by the rollups; read only."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class ModelDay(Struct, frozen=True, kw_only=True):
    """One day in UTC, which begins at `day_at` (µs), of one model as asked for."""

    day_at: int
    model: str
    calls: int
    failures: int


async def since(connection: AsyncConnection, tenant_id: int, day_at: int) -> list[ModelDay]:
    """The tenant's days from then on, in order."""
    c = t.model_day.c
    columns = [c[name] for name in ModelDay.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.day_at >= day_at).order_by(c.day_at, c.model)
    return [ModelDay(**row) for row in (await connection.execute(statement)).mappings()]
