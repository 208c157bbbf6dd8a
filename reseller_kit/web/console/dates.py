"""Days that members type, as moments."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from ...core.days import start_of


def day_of_field(text: str, zone: ZoneInfo, *, after: bool = False) -> int | None:
    """The start (µs) of a day typed as 2026-01-31 in the zone; with `after`, of the next one. None for what is none."""
    try:
        day = dt.date.fromisoformat(text) if len(text) == len("2026-01-31") else None
        return None if day is None else start_of(day + dt.timedelta(days=1) if after else day, zone)
    except (ValueError, OverflowError):
        return None


def moment_of_field(text: str, zone: ZoneInfo) -> int | None:
    """The moment (µs) typed as 2026-01-31T12:30 by the zone's clocks, the first of two. None for what is none."""
    try:
        typed = dt.datetime.fromisoformat(text)
        moment = typed.replace(tzinfo=zone, fold=0) if typed.tzinfo is None else typed
        return (moment.astimezone(dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
