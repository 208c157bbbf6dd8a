"""What the audit reads of daily allowances, across tenants or of one. Judges nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Final

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from . import tables as t
from .operator_audit import of_tenant

_CHUNK: Final = 1_000


class LotDay(Struct, frozen=True):
    """What counts as used of a lot's allowance on the day that begins at `day`. Nano-USD."""

    lot_id: str
    wallet_id: int
    day: int
    used: int


class DayHold(Struct, frozen=True):
    """A call's hold: when it was placed, its parts as JSON, and what it was charged; None while it is open."""

    request_id: str
    created_at: int
    allocations: str
    charged: int | None


async def lot_days(connection: Connection, tenant_id: int | None, since: int) -> list[LotDay]:
    """The allowances that were used on a day that began since then."""
    d, o = t.lot_day.c, t.lot.c
    statement = select(d.lot_id, o.wallet_id, d.day, d.used_nano).join(t.lot, o.id == d.lot_id).where(d.day >= since)
    return [LotDay(*row) for row in await connection.execute(of_tenant(statement, t.lot_day, tenant_id))]


async def holds_since(
    connection: Connection, tenant_id: int | None, wallets: Collection[int], since: int
) -> AsyncIterator[DayHold]:
    """The holds that calls placed on these wallets since then; at most some ten thousand wallets."""
    h, u = t.hold.c, t.usage_record.c
    charged = func.coalesce(u.retail_nano, 0)
    statement = select(h.request_id, h.created_at, h.allocations, h.state, charged)
    statement = statement.outerjoin_from(t.hold, t.usage_record, u.id == h.request_id)
    statement = statement.where(h.kind == "call", h.created_at >= since, h.wallet_id.in_(wallets))
    statement, last = of_tenant(statement, t.hold, tenant_id), ""
    while True:
        chunk = (
            await connection.execute(statement.where(h.request_id > last).order_by(h.request_id).limit(_CHUNK))
        ).all()
        for request_id, created_at, allocations, state, retail in chunk:
            yield DayHold(request_id, created_at, allocations, None if state == "open" else retail)
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1][0]
