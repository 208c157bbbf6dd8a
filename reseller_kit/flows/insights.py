"""Use case of a reseller on its own business: money, customers, calls and payments by day. Changes nothing.

Whole days of the storefront's time zone, up to this moment; at retail and at what the reseller pays the operator,
never at the operator's cost.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import day_of, offsets, start_of
from ..core.errors import InvalidRequest
from ..db import insights as rows
from ..db.engine import Database, now_us
from ..db.insights import Money, Sales, Stretch

MAX_DAYS: Final = 400
_SAMPLE: Final = 5_000
_COHORTS: Final = 12
_EPOCH: Final = dt.date(1970, 1, 1)


class Day(Struct, frozen=True, kw_only=True):
    """One day. Nano-USD: `retail` is what calls were charged, `sold` what was paid for orders.

    `unpaid`: orders that were given up without a payment; `failed_payments`: those that a provider could not take.
    """

    day: dt.date
    calls: int
    failed_calls: int
    retail: int
    wholesale: int
    active: int
    new: int
    orders: int
    sold: int
    unpaid: int
    failed_payments: int
    charged_back: int

    @property
    def margin(self) -> int:
        """What is left of retail."""
        return self.retail - self.wholesale


class ModelShare(Struct, frozen=True, kw_only=True):
    """A model as asked for. Nano-USD."""

    model: str
    calls: int
    failed_calls: int
    retail: int
    wholesale: int

    @property
    def margin(self) -> int:
        """What is left of retail."""
        return self.retail - self.wholesale


class Latency(Struct, frozen=True, kw_only=True):
    """Half and nineteen in twenty of the latest calls that were answered took no longer, in ms; `calls` so many.

    `complete`: there were no others in these days, else it is a sample.
    """

    calls: int
    complete: bool
    median_ms: int
    slow_ms: int
    first_byte_ms: int


class Cohort(Struct, frozen=True, kw_only=True):
    """The customers who signed up in a month, and how many of them made calls in it and in each month since."""

    month: dt.date
    customers: int
    active: tuple[int, ...]


class Insights(Struct, frozen=True, kw_only=True):
    """Everything of some days; `active`: customers who made calls in any of them."""

    days: tuple[Day, ...]
    models: tuple[ModelShare, ...]
    active: int
    latency: Latency | None
    cohorts: tuple[Cohort, ...]

    def sum(self, name: str) -> int:
        """A figure of all days together."""
        return sum(getattr(day, name) for day in self.days)


class _Figures(Struct, frozen=True, kw_only=True):
    """What the database says, by number of the day."""

    money: Mapping[int, Money]
    active: Mapping[int, int]
    new: Mapping[int, int]
    sales: Mapping[int, Sales]
    unpaid: Mapping[int, int]
    failed_payments: Mapping[int, int]
    charged_back: Mapping[int, int]
    failed: Mapping[tuple[int, str], int]


def stretch_of(first: dt.date, last: dt.date, timezone: str) -> Stretch:
    """Whole days, both named ones too. Raises InvalidRequest."""
    if not 1 <= (last - first).days + 1 <= MAX_DAYS:
        raise InvalidRequest(
            "These days are no span of time.",
            param="since",
            fix=f"Give a first and a last day at most {MAX_DAYS} days apart.",
        )
    zone = ZoneInfo(timezone)
    since, until = start_of(first, zone), start_of(last + dt.timedelta(days=1), zone)
    return Stretch(since, until, offsets(zone, since, until))


async def insights(db: Database, tenant_id: int, timezone: str, first: dt.date, last: dt.date) -> Insights:
    """What these days came to, both named ones too. Raises InvalidRequest for none or too many."""
    stretch = stretch_of(first, last, timezone)
    months = _months(day_of(now_us(), ZoneInfo(timezone)))
    starts = [start_of(month, ZoneInfo(timezone)) for month in months]
    async with db.read(tenant_id) as connection:
        figures = _Figures(
            money={one.number: one for one in await rows.money_by_day(connection, tenant_id, stretch)},
            active=await rows.active_by_day(connection, tenant_id, stretch),
            new=await rows.new_by_day(connection, tenant_id, stretch),
            sales=await rows.sales_by_day(connection, tenant_id, stretch),
            unpaid=await rows.events_by_day(connection, tenant_id, stretch, rows.UNPAID_EVENTS),
            failed_payments=await rows.failed_payments(connection, tenant_id, stretch),
            charged_back=await rows.events_by_day(connection, tenant_id, stretch, ("charge_back",)),
            failed=await rows.failed_calls(connection, tenant_id, stretch),
        )
        models = await rows.money_by_model(connection, tenant_id, stretch)
        took = await rows.latencies(connection, tenant_id, stretch, _SAMPLE + 1)
        counted = await rows.cohorts(connection, tenant_id, starts)
    return Insights(
        days=tuple(_day(first + dt.timedelta(days=index), figures) for index in range((last - first).days + 1)),
        models=tuple(_share(one, figures.failed) for one in models),
        active=figures.active[-1],
        latency=await asyncio.to_thread(_latency, took),
        cohorts=tuple(_cohorts(months, counted)),
    )


def _day(day: dt.date, found: _Figures) -> Day:
    number = (day - _EPOCH).days
    money = found.money.get(number, Money(calls=0, retail=0, wholesale=0))
    sales = found.sales.get(number, Sales(orders=0, amount=0))
    return Day(
        day=day,
        calls=money.calls,
        failed_calls=sum(count for (other, _), count in found.failed.items() if other == number),
        retail=money.retail,
        wholesale=money.wholesale,
        active=found.active.get(number, 0),
        new=found.new.get(number, 0),
        orders=sales.orders,
        sold=sales.amount,
        unpaid=found.unpaid.get(number, 0),
        failed_payments=found.failed_payments.get(number, 0),
        charged_back=found.charged_back.get(number, 0),
    )


def _share(money: Money, failed: Mapping[tuple[int, str], int]) -> ModelShare:
    return ModelShare(
        model=money.name,
        calls=money.calls,
        failed_calls=sum(count for (_, model), count in failed.items() if model == money.name),
        retail=money.retail,
        wholesale=money.wholesale,
    )


def _latency(took: Sequence[tuple[int, int | None]]) -> Latency | None:
    if not took:
        return None
    latest = took[:_SAMPLE]
    whole = sorted(one for one, _ in latest)
    first = sorted(one for _, one in latest if one is not None) or [0]
    return Latency(
        calls=len(whole),
        complete=len(took) <= _SAMPLE,
        median_ms=whole[(len(whole) - 1) // 2],
        slow_ms=whole[(len(whole) - 1) * 95 // 100],
        first_byte_ms=first[(len(first) - 1) // 2],
    )


def _months(today: dt.date) -> list[dt.date]:
    """The first days of the latest months, the present one last, and of the one after it."""
    months = [today.replace(day=1)]
    for _ in range(_COHORTS - 1):
        months.append((months[-1] - dt.timedelta(days=1)).replace(day=1))
    return [*reversed(months), (months[0] + dt.timedelta(days=31)).replace(day=1)]


def _cohorts(months: Sequence[dt.date], counted: Mapping[tuple[int, int], int]) -> list[Cohort]:
    """One a month in which anybody signed up, the latest last."""
    return [
        Cohort(
            month=month,
            customers=counted[number, -1],
            active=tuple(counted.get((number, later), 0) for later in range(number, len(months) - 1)),
        )
        for number, month in enumerate(months[:-1])
        if (number, -1) in counted
    ]
