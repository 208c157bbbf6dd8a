"""Limit periods of API keys: days, weeks and months by the calendar of a time zone. Knows no clock.

A period is named by its first day, written as that date's midnight in UTC. The name depends on the calendar alone:
a day with 23 hours or 25 is one day, and a tenant that changes its zone goes on in the period of the same date
instead of beginning anew.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from .times import DAY_US, SECOND_US

Reset = Literal["daily", "weekly", "monthly"]
FOR_EVER: Final = 0
"""The one period of a limit that is never reset."""
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def period_of(reset: str | None, timezone: str, now: int) -> int:
    """The period that `now` (µs) lies in: midnight UTC of its first day's date. Weeks begin on Monday."""
    if reset is None:
        return FOR_EVER
    return _name(_first_day(reset, _local_date(timezone, now)))


def resets_at(reset: str | None, timezone: str, now: int) -> int | None:
    """When the period that `now` lies in ends, in µs: the first moment of the next one's first day; None for never."""
    if reset is None:
        return None
    day = _next_first_day(reset, _first_day(reset, _local_date(timezone, now)))
    # A midnight that the clocks skip is read as the moment at which they do; of one that comes twice, the first.
    midnight = datetime(day.year, day.month, day.day, tzinfo=_zone(timezone))
    return int(midnight.astimezone(UTC).timestamp()) * SECOND_US


def _local_date(timezone: str, now: int) -> date:
    return datetime.fromtimestamp(now // SECOND_US, _zone(timezone)).date()


def _first_day(reset: str, day: date) -> date:
    if reset == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if reset == "monthly" else day


def _next_first_day(reset: str, first: date) -> date:
    if reset == "monthly":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if reset == "weekly" else 1)


def _name(day: date) -> int:
    return (day.toordinal() - _EPOCH_DAY) * DAY_US


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
