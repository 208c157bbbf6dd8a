"""Use case of a customer on the first page of its portal: money, pace, latest calls, next steps. Changes nothing.

The forecast is what the page says it is: what was spent this month, and for each day that is left the average of the
last seven days before today; of fewer, where the first call is more recent. Credit lasts for what is available divided
by that average.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import day_of, start_of
from ..core.ledger import available
from ..db import credits as credit_rows
from ..db import keys, onboarding, usage
from ..db.customers import find as find_customer
from ..db.engine import Database, now_us
from ..db.onboarding import Milestones
from ..db.usage import UsageFilter, UsageRecord
from .usage_pages import Bar, KeyName, Span, bars

RECENT: Final = 5
PACE_DAYS: Final = 7
_LONG_DAYS: Final = 3650


class Money(Struct, frozen=True, kw_only=True):
    """A customer's credit in nano-USD: what is there, what calls have reserved, what can be spent now, what is owed."""

    balance: int
    reserved: int
    available: int
    debt: int


class Pace(Struct, frozen=True, kw_only=True):
    """Spending in nano-USD: today, this month, a day on average, and what the month will come to at that pace.

    `lasts_days`: for how long the credit lasts, None where nothing is spent or for more than ten years.
    """

    today: int
    month: int
    average: int
    forecast: int
    lasts_days: int | None


class Overview(Struct, frozen=True, kw_only=True):
    """What the first page shows. `bars`: the last 30 days."""

    money: Money
    pace: Pace
    bars: tuple[Bar, ...]
    recent: tuple[UsageRecord, ...]
    keys: tuple[KeyName, ...]
    steps: Milestones


async def overview(db: Database, tenant_id: int, customer_id: str, timezone: str) -> Overview | None:
    """The customer's first page; None for a customer that is gone."""
    now, zone = now_us(), ZoneInfo(timezone)
    today = day_of(now, zone)
    first = min(today.replace(day=1), today - timedelta(days=29))
    end = start_of(today + timedelta(days=1), zone)
    span = Span(since=start_of(first, zone), until=end, step="day", zone=timezone)
    async with db.read(tenant_id) as connection:
        customer = await find_customer(connection, tenant_id, customer_id)
        if customer is None:
            return None
        shown = await bars(connection, tenant_id, customer_id, span)
        wallet, lots = await credit_rows.wallet_with_lots(connection, tenant_id, customer.wallet_id)
        recent = await usage.page(connection, tenant_id, UsageFilter(customer_id), RECENT)
        names = await keys.names(connection, tenant_id, customer_id)
        steps = await onboarding.milestones(connection, tenant_id, customer_id)
    free = available(wallet, lots, now)
    return Overview(
        money=Money(balance=wallet.balance, reserved=wallet.reserved, available=free, debt=wallet.debt),
        pace=pace(shown, today, free),
        bars=shown[-30:],
        recent=tuple(recent),
        keys=tuple(KeyName(*name) for name in names),
        steps=steps,
    )


async def milestones(db: Database, tenant_id: int, customer_id: str) -> Milestones:
    """How far the customer has come."""
    async with db.read(tenant_id) as connection:
        return await onboarding.milestones(connection, tenant_id, customer_id)


def pace(bars: tuple[Bar, ...], today: date, free: int) -> Pace:
    """How fast credit is spent, from bars of days that reach from the month's first day to `today`."""
    month = sum(bar.retail_nano for bar in bars if bar.start.date() >= today.replace(day=1))
    so_far = sum(bar.retail_nano for bar in bars if bar.start.date() == today)
    before = [bar.retail_nano for bar in bars if bar.start.date() < today][-PACE_DAYS:]
    while before and not before[0]:
        del before[0]
    average = sum(before) // len(before) if before else so_far
    days_left = ((today.replace(day=1) + timedelta(days=32)).replace(day=1) - today).days - 1
    rest_of_today = max(0, average - so_far)
    lasts = free // average if average else _LONG_DAYS + 1
    return Pace(
        today=so_far,
        month=month,
        average=average,
        forecast=month + rest_of_today + average * days_left,
        lasts_days=lasts if lasts <= _LONG_DAYS else None,
    )
