"""How a storefront's models did in the last days, for its status page. Remembered for a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from ..core.times import DAY_US
from ..db import model_days
from ..db.engine import Database, now_us
from .patience import limited_wait

_log = logging.getLogger(__name__)
DAYS: Final = 30
_KEPT_SECONDS: Final = 60


class Day(Struct, frozen=True):
    """One day of a model: how many calls there were, and how many failed."""

    day_at: int
    calls: int = 0
    failures: int = 0


class PastDays:
    """The last thirty days of every storefront that is asked for."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: dict[int, tuple[float, Mapping[str, tuple[Day, ...]]]] = {}

    async def of(self, tenant_id: int) -> Mapping[str, tuple[Day, ...]]:
        """Model as asked for → its days, the oldest first, days without calls among them; empty where not known."""
        kept = self._kept.get(tenant_id)
        if kept is not None and time.monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        today = now_us() // DAY_US * DAY_US
        first = today - (DAYS - 1) * DAY_US
        try:
            async with limited_wait(), self._db.read(tenant_id) as connection:
                rows = await model_days.since(connection, tenant_id, first)
        except Exception:  # noqa: BLE001  # the page says what is known now, without the past
            _log.exception("past days could not be read")
            return {} if kept is None else kept[1]
        seen = {(row.model, row.day_at): Day(row.day_at, row.calls, row.failures) for row in rows}
        days = range(first, today + 1, DAY_US)
        found = {model: tuple(seen.get((model, at), Day(at)) for at in days) for model in {row.model for row in rows}}
        self._kept[tenant_id] = (time.monotonic(), found)
        return found
