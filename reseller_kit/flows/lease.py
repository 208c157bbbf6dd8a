"""Keeps this process's lease: takes, renews and gives it back, and begins anew when it was lost. Resolves no hold."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from ..db import leases, schema
from ..db.engine import NO_TENANT
from .runtime import Runtime

_log = logging.getLogger(__name__)
RENEW_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 5.0


async def take(runtime: Runtime) -> None:
    """This process's first lease, under the writer's owner and epoch."""
    async with runtime.db.write(NO_TENANT) as connection:
        await leases.take(connection, runtime.ledger.owner, runtime.ledger.epoch, schema.head())


async def keep(runtime: Runtime) -> None:
    """Renew the lease each second for ever, at once after a pause. A fault is logged and tried again."""
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _renew(runtime)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.error("renewing the lease failed; trying again (%r)", error)
        runtime.heartbeat.confirm()
        with suppress(TimeoutError):
            await asyncio.wait_for(runtime.heartbeat.wanted.wait(), RENEW_SECONDS)


async def give_back(runtime: Runtime) -> None:
    """Drop the lease at a clean end; where that fails it runs out by itself."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), runtime.db.write(NO_TENANT) as connection:
            await leases.release(connection, runtime.ledger.owner)
    except Exception as error:  # noqa: BLE001  # the end must come, whatever the database does
        _log.warning("the lease was left to run out (%r)", error)


async def _renew(runtime: Runtime) -> None:
    ledger = runtime.ledger
    epoch = ledger.epoch
    if not await leases.renew(runtime.db, ledger.owner, epoch):
        # Another process took us for dead and resolves our holds; begin again under a later epoch.
        async with runtime.db.keep_lease() as connection:
            await leases.be_brief(connection)
            epoch = await leases.begin_again(connection, ledger.owner, epoch, schema.head())
    now = time.monotonic()
    runtime.lease_gap = now - runtime.lease_renewed_at
    runtime.lease_renewed_at = now
    if epoch != ledger.epoch:
        ledger.epoch = epoch
        runtime.metrics.lease_losses.inc()
        _log.warning("the lease had run out; began epoch %d", epoch)
        # What these calls hold is of an epoch that is over: nobody will pay for what they get from here on.
        runtime.lose_calls()
