"""Days of a time zone as moments, and a zone's offsets over a stretch of time. Knows no clock.

Times are µs since 1970 UTC. Every zone's offset is a whole number of quarter hours, and changes at a whole one.
"""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from .times import DAY_US

QUARTER_US: Final = 900_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def local(at: int, zone: ZoneInfo) -> datetime:
    """A moment as clocks there show it."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def day_of(at: int, zone: ZoneInfo) -> date:
    """The day that a moment lies in there."""
    return local(at, zone).date()


def start_of(day: date, zone: ZoneInfo) -> int:
    """A day's first moment. Where clocks are put forward at midnight, it is the moment they show after it."""
    try:
        start = datetime.combine(day, time(), zone).astimezone(UTC)
        return (start - _EPOCH) // _MICROSECOND
    except OverflowError:
        return 0


@functools.lru_cache(maxsize=1024)
def offsets(zone: ZoneInfo, since: int, until: int) -> tuple[tuple[int, int], ...]:
    """(from when, offset) for each stretch of [since, until) in which the zone keeps its offset, in order.

    `since` and `until` are starts of days there.
    """
    found = [(since, _offset(since, zone))]
    at = since
    while at < until:
        end = min(at + DAY_US, until)
        if _offset(end, zone) != found[-1][1]:
            changed = next(q for q in range(at, end + 1, QUARTER_US) if _offset(q, zone) != found[-1][1])
            found.append((changed, _offset(changed, zone)))
        at = end
    return tuple(found)


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = local(at, zone).utcoffset()
    return 0 if offset is None else offset // _MICROSECOND
