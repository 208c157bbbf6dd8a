"""Brings figures of the database into the metrics when somebody asks for them. A database that is away is a figure."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from ..core.times import SECOND_US
from ..db import operator_backlog, operator_notices
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_backlog import Queue
from ..telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_FRESH_SECONDS: Final = 10.0
_WAIT_SECONDS: Final = 3.0
_QUEUES: Final = ("mails", "deliveries", "webhooks", "orders", "holds")
_LATE_US: Final = 15 * 60 * SECOND_US


class Backlog:
    """Looks no more often than every ten seconds, whoever asks, and not at all while nobody does."""

    def __init__(self, db: Database, metrics: Metrics) -> None:
        self._db, self._metrics = db, metrics
        self._looked_at = -_FRESH_SECONDS
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """See that the figures are fresh. Raises nothing."""
        async with self._turn:
            if time.monotonic() - self._looked_at < _FRESH_SECONDS:
                return
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._read()
            except Exception as error:  # noqa: BLE001  # metrics are wanted most when something is wrong
                self._metrics.database_up.set(0)
                _log.warning("what waits in the database could not be read (%r)", error)
            else:
                self._metrics.database_up.set(1)
                self._looked_at = time.monotonic()

    async def _read(self) -> None:
        now, metrics = now_us(), self._metrics
        async with self._db.read(EVERY_TENANT) as connection:
            found = await operator_backlog.backlog(connection, late=now - _LATE_US)
            balances = await operator_notices.watched(connection)
        for name in _QUEUES:
            queue: Queue = getattr(found, name)
            metrics.backlog.labels(name).set(queue.waiting)
            age = 0 if queue.since is None else max(0, now - queue.since)
            metrics.backlog_age.labels(name).set(age / SECOND_US)
        metrics.parked.labels("mails").set(found.parked_mails)
        metrics.parked.labels("deliveries").set(found.parked_deliveries)
        metrics.wholesale_low.forget()
        for each in balances:
            lowest = min(each.terms.notify_below, default=None)
            if lowest is not None:
                metrics.wholesale_low.labels(each.slug).set(each.balance < lowest)
