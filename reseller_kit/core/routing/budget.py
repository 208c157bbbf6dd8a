"""How many retries all calls together may come to, so that an outage is not answered with a multiple of the traffic.

Source of the idea: Google SRE book, "Handling Overload", per-client retry budget.
"""

from __future__ import annotations

from typing import Final

from .windows import Window

WINDOW_SECONDS: Final = 60
SHARE_PERCENT: Final = 20
FLOOR: Final = 100
"""Retries a minute that are always allowed: a burst on a quiet process survives the death of an endpoint."""


class RetryBudget:
    """Retries of a process: below 20 % of the last minute's calls, and never below the floor."""

    __slots__ = ("_calls", "_floor", "_retries")

    def __init__(self, floor: int = FLOOR) -> None:
        self._calls, self._retries = Window(WINDOW_SECONDS), Window(WINDOW_SECONDS)
        self._floor = floor

    def call(self, now: float) -> None:
        """A call makes its first attempt at `now` (s)."""
        self._calls.add(now, some=False)

    def retry(self, now: float) -> bool:
        """Take one retry; False when there is none left."""
        self._calls.move(now)
        self._retries.move(now)
        if self._retries.all >= max(self._floor, self._calls.all * SHARE_PERCENT // 100):
            return False
        self._retries.add(now, some=False)
        return True
