"""Sums of a tenant's usage records at the three levels: who earned what. Reads only.

The cost is that of the route which served the call, so a dearer backup route shows here.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from . import tables as t

_DAY_US: Final = 86_400_000_000
"""Also what an id may be older than its call's time: ids are in order of time, and sought by a range of the key."""


class Margin(Struct, frozen=True, kw_only=True):
    """The calls of one model on one day, which begins at `day_at` (µs, UTC). Nano-USD."""

    day_at: int
    model: str
    calls: int
    retail: int
    wholesale: int
    cost: int

    @property
    def reseller(self) -> int:
        """What the reseller earned."""
        return self.retail - self.wholesale

    @property
    def operator(self) -> int:
        """What the operator earned."""
        return self.wholesale - self.cost


class Loss(Struct, frozen=True, kw_only=True):
    """Calls of a model that cost the operator more, at one upstream, than the reseller paid for them."""

    model: str
    upstream: str
    calls: int
    amount: int


async def by_day(connection: AsyncConnection, tenant_id: int, since: int | None) -> list[Margin]:
    """One line a day and public model, newest first; only calls from `since` (µs) on, if given."""
    c = t.usage_record.c
    day = (c.created_at // _DAY_US).label("day")
    sums = (func.sum(c.retail_nano), func.sum(c.wholesale_nano), func.sum(c.cost_nano))
    statement = select(day, c.public_model, func.count(), *sums).where(c.tenant_id == tenant_id)
    if since is not None:
        statement = statement.where(c.id >= lowest_id("req", since - _DAY_US), c.created_at >= since)
    rows = await connection.execute(statement.group_by(day, c.public_model).order_by(day.desc(), c.public_model))
    return [
        Margin(
            day_at=row[0] * _DAY_US,
            model=row[1],
            calls=row[2],
            retail=int(row[3]),
            wholesale=int(row[4]),
            cost=int(row[5]),
        )
        for row in rows
    ]


async def losses(connection: AsyncConnection, tenant_id: int, since: int) -> list[Loss]:
    """Where calls from `since` (µs) on cost more than their wholesale charge, the largest first."""
    c = t.usage_record.c
    amount = func.sum(c.cost_nano - c.wholesale_nano)
    statement = select(c.public_model, c.upstream, func.count(), amount).where(
        c.tenant_id == tenant_id,
        c.id >= lowest_id("req", since - _DAY_US),
        c.created_at >= since,
        c.cost_nano > c.wholesale_nano,
    )
    rows = await connection.execute(statement.group_by(c.public_model, c.upstream).order_by(amount.desc()))
    return [Loss(model=row[0], upstream=row[1] or "", calls=row[2], amount=int(row[3])) for row in rows]
