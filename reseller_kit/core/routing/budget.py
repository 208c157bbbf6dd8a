"""How many retries all calls together may come to, so that an outage is not answered with a multiple of the traffic.

Source of the idea: Google SRE book, "Handling Overload", per-client retry budget.
"""

from __future__ import annotations

from typing import Final, Self

from .windows import Window

WINDOWS_SECONDS: Final = (60, 300)
"""The short one keeps an outage from multiplying traffic, the long one the floor from being had anew each minute."""
SHARE_PERCENT: Final = 20
FLOOR: Final = 100
"""Retries that are allowed in each window: a burst on a quiet deployment survives the death of an endpoint."""
LEAST_FLOOR: Final = 10


class RetryBudget:
    """Retries of a process: in each window below 20 % of its calls, or below its floor if that is more."""

    __slots__ = ("_calls", "_floor", "_second", "_windows")

    def __init__(self, floor: int = FLOOR) -> None:
        self._windows = [(Window(seconds), Window(seconds)) for seconds in WINDOWS_SECONDS]
        self._floor = floor
        self._second = self._calls = 0
        """Calls of the latest second, which no window has yet."""

    @classmethod
    def among(cls, processes: int) -> Self:
        """The budget of one of so many processes that share the calls of a server: the floor is divided."""
        return cls(max(LEAST_FLOOR, FLOOR // processes))

    def call(self, now: float) -> None:
        """A call makes its first attempt at `now` (s)."""
        second = int(now)
        if second != self._second:
            self._add_calls()
            self._second = second
        self._calls += 1

    def retry(self, now: float) -> bool:
        """Take one retry; False when there is none left."""
        self._add_calls()
        for calls, retries in self._windows:
            calls.move(now)
            retries.move(now)
            if retries.all >= max(self._floor, calls.all * SHARE_PERCENT // 100):
                return False
        for _, retries in self._windows:
            retries.add(now, some=False)
        return True

    def _add_calls(self) -> None:
        for calls, _ in self._windows:
            calls.add(self._second, some=False, count=self._calls)
        self._calls = 0
