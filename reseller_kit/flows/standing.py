"""Use case of a team on the first page of its console: how the storefront stands, and what is left to set up.

Reads what is known at retail and of the reseller's own balance; no cost of the operator's is near it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.days import day_of, start_of
from ..core.storefront import Storefront
from ..core.wholesale import wholesale_terms
from ..db import rollups, standing
from ..db.accounts import Balance, drawn_on
from ..db.engine import Database, now_us
from ..db.rollups import SumFilter, Sums
from ..db.standing import Standing, Steps

DAYS: Final = 30


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
    now, zone = now_us(), ZoneInfo(storefront.timezone)
    today = day_of(now, zone)
    first = today - timedelta(days=DAYS - 1)
    since = start_of(first, zone)
    terms = wholesale_terms(storefront.settings)
    async with db.read(storefront.tenant_id) as connection:
        quarters = await rollups.sums(connection, storefront.tenant_id, SumFilter(None, since), "quarter")
        counts = await standing.standing(connection, storefront.tenant_id, since=since)
        steps = await standing.steps(connection, storefront.tenant_id)
        balance = await drawn_on(connection, storefront.tenant_id, terms.settlement)
    return Stand(
        counts=counts,
        steps=steps,
        balance=balance,
        settlement=terms.settlement,
        overdraft=terms.overdraft,
        days=_days(quarters, first, zone),
    )


def _days(quarters: list[tuple[int | str, Sums]], first: date, zone: ZoneInfo) -> tuple[Day, ...]:
    found = {first + timedelta(days=number): Sums() for number in range(DAYS)}
    for quarter, sums in quarters:
        day = day_of(int(quarter), zone)
        found[day] = found.get(day, Sums()) + sums
    return tuple(Day(day, sums.calls, sums.retail_nano) for day, sums in sorted(found.items()))
