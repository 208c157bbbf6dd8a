"""What the status page shows of the past. Nothing of upstreams: only models by the names that customers use."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from msgspec import Struct

DayState = Literal["operational", "degraded", "down", "unknown"]
_DEGRADED = 0.01
_DOWN = 0.5


class DayRow(Struct, frozen=True):
    """One day of one model."""

    day: dt.date
    calls: int = 0
    failures: int = 0

    @property
    def state(self) -> DayState:
        """How the day went, by the share of calls that failed."""
        if not self.calls:
            return "unknown"
        share = self.failures / self.calls
        return "down" if share >= _DOWN else "degraded" if share >= _DEGRADED else "operational"


class StatusView(Struct, frozen=True):
    """The past by model."""

    days: dict[str, tuple[DayRow, ...]] = {}

    def answered(self, model: str) -> float | None:
        """The share of a model's calls that were answered; None without calls."""
        rows = self.days.get(model, ())
        calls = sum(row.calls for row in rows)
        return None if not calls else 1 - sum(row.failures for row in rows) / calls
