"""Looks at parked keys once in a while, free of charge: what the provider takes again is put on trial. Parks none."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ..db import revisions, upstream_keys
from ..db.engine import NO_TENANT, Database, now_us
from .runtime import Runtime
from .upstream_keys import REVISION

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 20
_EVERY_US: Final = 3_600_000_000


async def keep(runtime: Runtime) -> None:
    """Do so for ever; of several processes one looks at a key. A fault is logged and tried again."""
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            while await check_one(runtime):
                pass
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("checking parked keys failed; trying again")


async def check_one(runtime: Runtime) -> bool:
    """Check the parked key that was not looked at for the longest time, an hour at least; False when there is none."""
    now = now_us()
    async with runtime.db.read(NO_TENANT) as connection:
        if not await upstream_keys.any_due(connection, now - _EVERY_US):
            return False
    async with runtime.db.write(NO_TENANT) as connection:
        found = await upstream_keys.claim_check(connection, now - _EVERY_US, now)
    if found is None:
        return False
    name, fingerprint = found
    if name in runtime.snapshot.upstreams and runtime.snapshot.upstreams[name].api_keys:
        check = await runtime.upstream(name).check(fingerprint)
        if check.ok:
            await try_again(runtime.db, name, fingerprint)
        _log.info("checked parked key %s of %s: %s", fingerprint, name, "taken" if check.ok else "still refused")
    return True


async def try_again(db: Database, upstream: str, fingerprint: str) -> bool:
    """Put a parked key on trial, in every process; False when it is not parked."""
    async with db.write(NO_TENANT) as connection:
        found = await upstream_keys.try_again(connection, upstream, fingerprint)
        if found:
            await revisions.bump(connection, REVISION, upstream)
    return found
