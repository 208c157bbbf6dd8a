"""Use case of a team on the first page of its console: how the storefront stands, and what is left to set up.

Reads what is known at retail and of the reseller's own balance; no cost of the operator's is near it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import day_of
from ..core.storefront import Storefront
from ..core.wholesale import wholesale_terms
from ..db import insights, standing
from ..db.accounts import Balance, drawn_on
from ..db.engine import Database, now_us
from ..db.insights import Money
from ..db.standing import Standing, Steps
from .insights import stretch_of

DAYS: Final = 30
_EPOCH: Final = date(1970, 1, 1)


class Day(Struct, frozen=True):
    """One day of the storefront's zone: calls, and what they came to at retail (nano-USD)."""

    day: date
    calls: int
    retail: int


class Stand(Struct, frozen=True, kw_only=True):
    """All of it. `days`: the last thirty, the oldest first, those without calls among them."""

    counts: Standing
    steps: Steps
    balance: Balance
    settlement: str
    overdraft: int
    days: tuple[Day, ...]


async def look(db: Database, storefront: Storefront) -> Stand:
    """The storefront, as of now."""
    today = day_of(now_us(), ZoneInfo(storefront.timezone))
    first = today - timedelta(days=DAYS - 1)
    stretch = stretch_of(first, today, storefront.timezone)
    terms = wholesale_terms(storefront.settings)
    async with db.read(storefront.tenant_id) as connection:
        money = await insights.money_by_day(connection, storefront.tenant_id, stretch)
        counts = await standing.standing(connection, storefront.tenant_id, since=stretch.since)
        steps = await standing.steps(connection, storefront.tenant_id)
        balance = await drawn_on(connection, storefront.tenant_id, terms.settlement)
    return Stand(
        counts=counts,
        steps=steps,
        balance=balance,
        settlement=terms.settlement,
        overdraft=terms.overdraft,
        days=_days(money, first),
    )


def _days(money: Sequence[Money], first: date) -> tuple[Day, ...]:
    found = {one.number: one for one in money}
    numbered = [(day, (day - _EPOCH).days) for day in (first + timedelta(days=number) for number in range(DAYS))]
    return tuple(
        Day(day, found[number].calls, found[number].retail) if number in found else Day(day, 0, 0)
        for day, number in numbered
    )
