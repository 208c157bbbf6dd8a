"""Keeps the rollups behind the charts up to date, and the months to come prepared. Never on the path of a call."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

from ..db import operator_rollups, operator_rollups_sqlite, partitions
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from .runtime import Runtime

_log = logging.getLogger(__name__)
_ROLL_SECONDS: Final = 10
_PREPARE_SECONDS: Final = 3_600
_PAUSE_SECONDS: Final = 0.02
"""Between steps: calls' own transactions come first."""


async def keep(runtime: Runtime) -> None:
    """Roll up every ten seconds for ever, and make coming months' partitions every hour. Faults are tried again."""
    prepared_at = -math.inf
    while True:
        try:
            if time.monotonic() - prepared_at >= _PREPARE_SECONDS:
                await prepare(runtime.db)
                prepared_at = time.monotonic()
            await roll_up(runtime.db, pause_seconds=_PAUSE_SECONDS)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("rolling up usage failed; trying again")
        await asyncio.sleep(_ROLL_SECONDS)


async def prepare(db: Database) -> None:
    """Make the partitions of coming months. Where this process may not, doctor says so before a month is missing."""
    try:
        made = await partitions.make_ahead(db)
    except Exception:  # noqa: BLE001  # rolling up goes on without them; the log says what did not
        _log.exception("partitions of coming months could not be made; run: reseller-kit db upgrade")
    else:
        if made:
            _log.info("made the partitions %s", ", ".join(made))


async def roll_up(db: Database, *, pause_seconds: float = 0) -> int:
    """Take everything that was settled until now into the rollups; the moment (µs) that this was.

    Safe to run in several processes and to end anywhere: a step and its mark are one transaction.
    """
    async with db.write(NO_TENANT) as connection:
        fence = await operator_rollups.announce_fence(connection, now_us())
    async with db.read(NO_TENANT) as connection:
        owners = await operator_rollups.lease_owners(connection)
    for owner in owners:
        async with db.write(NO_TENANT) as connection:
            await operator_rollups.fence_off(connection, owner, fence)
    more = True
    while more:
        more = await _step(db, fence)
        await asyncio.sleep(pause_seconds)
    return fence


async def _step(db: Database, fence: int) -> bool:
    if db.backend == "sqlite":
        return await db.in_one_trip(lambda connection: operator_rollups_sqlite.roll(connection, fence))
    async with db.write(EVERY_TENANT) as connection:
        return await operator_rollups.roll(connection, fence)
