"""What identity does by itself: delete accounts whose grace is over, end what was to end, drop rows that ran out."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ...core.times import DAY_US
from ...db import operator_identity
from ...db.engine import EVERY_TENANT, Database, now_us
from ..abuse.decide import end_restrictions
from ..customers import end_suspensions
from ..offboarding import erase_due
from .closing import delete_due
from .sessions import DEVICE_US

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 60
_AT_ONCE: Final = 2_000
_LINKS_US: Final = 30 * DAY_US
_COUNTS_US: Final = 2 * DAY_US


async def keep(db: Database) -> None:
    """Tidy up for ever. A fault is logged and tried again."""
    while True:
        try:
            await delete_due(db)
            await end_suspensions(db)
            await end_restrictions(db)
            await erase_due(db)
            await tidy(db)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("tidying up identity failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)


async def tidy(db: Database, now: int | None = None) -> int:
    """Delete rows that nobody can use any more, a few thousand at once; how many."""
    at = now_us() if now is None else now
    async with db.write(EVERY_TENANT) as connection:
        return await operator_identity.drop_old(
            connection, _AT_ONCE, now=at, links=at - _LINKS_US, devices=at - DEVICE_US, counts=at - _COUNTS_US
        )
