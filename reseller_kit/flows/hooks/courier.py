"""Delivers what is due to webhook endpoints, in every process, for ever. Decides on no outcome (`attempt`).

Each endpoint and each storefront has a bounded part of what is under way at once, so that a slow receiver holds up its
own deliveries alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Final

from ...core.ids import new_id
from ...core.times import DAY_US
from ...db import operator_hooks
from ...db.engine import EVERY_TENANT, Database, now_us
from ...db.operator_hooks import ClaimedDelivery
from ...vault import Vault
from .attempt import attempt

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 64
_EACH_TENANT: Final = 8
_EACH_ENDPOINT: Final = 4
_ENDPOINTS: Final = 1_000
"""How many endpoints with something due are looked at in one round."""
_PAUSE_SECONDS: Final = 1.0
_BREATH_SECONDS: Final = 0.05
_FINISH_SECONDS: Final = 5.0
KEPT_US: Final = 30 * DAY_US
"""How long a delivery is kept."""
_TIDY_SECONDS: Final = 60.0
_DROPPED: Final = 2_000


async def keep(db: Database, vault: Vault) -> None:
    """Deliver for ever. A fault is logged and tried again; at the end, what is under way has some seconds to finish."""
    courier = Courier(db, vault)
    tidied_at = time.monotonic()
    try:
        while True:
            try:
                await courier.round()
                if time.monotonic() - tidied_at > _TIDY_SECONDS:
                    tidied_at = time.monotonic()
                    await tidy(db)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
                _log.exception("delivering webhooks failed; trying again")
            await courier.pause()
    finally:
        await courier.finish(_FINISH_SECONDS)


async def tidy(db: Database, now: int | None = None) -> int:
    """Delete deliveries of more than 30 days ago, some thousand at once; how many."""
    at = now_us() if now is None else now
    async with db.write(EVERY_TENANT) as connection:
        return await operator_hooks.drop_old(connection, at - KEPT_US, _DROPPED)


class Courier:
    """What one process has under way."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._tasks: dict[asyncio.Task[None], ClaimedDelivery] = {}
        self._ended = asyncio.Event()

    async def round(self, now: int | None = None) -> int:
        """Begin what is due and has room; how many. `now` in µs."""
        at = now_us() if now is None else now
        async with self._db.read(EVERY_TENANT) as connection:
            due = await operator_hooks.due(connection, at, _ENDPOINTS)
        begun = 0
        for tenant_id, endpoint_id, _ in due:
            room = self._room(tenant_id, endpoint_id)
            if room <= 0:
                continue
            async with self._db.write(tenant_id) as connection:
                claimed = await operator_hooks.claim(
                    connection, tenant_id, endpoint_id, new_id("clm"), now=at, limit=room
                )
            for one in claimed:
                self._begin(one)
            begun += len(claimed)
        return begun

    async def pause(self) -> None:
        """Wait a moment, or for room."""
        self._ended.clear()
        try:
            async with asyncio.timeout(_PAUSE_SECONDS):
                await self._ended.wait()
                await asyncio.sleep(_BREATH_SECONDS)
        except TimeoutError:
            pass

    async def finish(self, seconds: float | None = None) -> None:
        """Wait for what is under way; what takes longer is cut, and sent again when its claim has run out."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _room(self, tenant_id: int, endpoint_id: str) -> int:
        tenants = Counter(one.tenant_id for one in self._tasks.values())
        endpoints = Counter(one.endpoint_id for one in self._tasks.values())
        return min(
            _AT_ONCE - len(self._tasks), _EACH_TENANT - tenants[tenant_id], _EACH_ENDPOINT - endpoints[endpoint_id]
        )

    def _begin(self, claimed: ClaimedDelivery) -> None:
        task = asyncio.create_task(self._carry(claimed), name=f"webhook {claimed.id}")
        self._tasks[task] = claimed
        task.add_done_callback(self._done)

    async def _carry(self, claimed: ClaimedDelivery) -> None:
        try:
            await attempt(self._db, self._vault, claimed)
        except Exception:  # noqa: BLE001  # the claim runs out and the delivery is tried again; the log says why
            _log.exception("%s could not be noted", claimed.id)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._ended.set()
