"""The hourly look at every domain and claim that DNS has to prove. Each check is made by one process."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ...core.errors import KitError
from ...core.times import HOUR_US
from ...db import operator_domains
from ...db.engine import EVERY_TENANT, Database, now_us
from ...dns import Resolver
from .prove import check

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 15
_AT_ONCE: Final = 8
_ACTOR: Final = "sweep"


async def keep(db: Database, resolver: Resolver) -> None:
    """Do so for ever. A fault is logged and tried again."""
    while True:
        try:
            while await check_due(db, resolver):
                pass
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("checking domains failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)


async def check_due(db: Database, resolver: Resolver) -> int:
    """Make a few of the checks that are due; how many."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        if not await operator_domains.any_due(connection, now):
            return 0
    async with db.write(EVERY_TENANT) as connection:
        due = await operator_domains.claim_due(connection, now, now + HOUR_US, _AT_ONCE)
    outcomes = await asyncio.gather(
        *(check(db, resolver, tenant_id=one.tenant_id, host=one.host, actor=_ACTOR) for one in due),
        return_exceptions=True,
    )
    for one, outcome in zip(due, outcomes, strict=True):
        # Removed or taken meanwhile: nothing that anybody has to act on.
        if isinstance(outcome, BaseException) and not isinstance(outcome, KitError):
            _log.error("checking %s failed", one.host, exc_info=outcome)
    return len(due)
