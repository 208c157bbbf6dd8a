"""The end of a day, for tests of what is counted by the day or by the month: none of them runs across it."""

from __future__ import annotations

import datetime as dt
import time
from typing import Final

ROOM_SECONDS: Final = 120
"""Longer than any such test takes on a busy machine."""


def wait_for_room() -> None:
    """Wait for the next day (UTC) when this one ends too soon for a test."""
    now = dt.datetime.now(dt.UTC)
    midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    left = (midnight - now).total_seconds()
    if left < ROOM_SECONDS:
        time.sleep(left + 0.01)
