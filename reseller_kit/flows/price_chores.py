"""What time does to prices: lets scheduled ones begin, and tells customers of changes. Decides on neither."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

from ..db.engine import Database
from .notices import tell
from .schedule import begin_due

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 1
_TELL_SECONDS: Final = 5


async def keep(db: Database) -> None:
    """Do so for ever, in every process: each change begins once and is told of once. A fault is logged and tried again.

    Running servers charge a new price from its moment on, whether or not this has caught up.
    """
    told_at = -math.inf
    while True:
        try:
            await begin_due(db)
            if time.monotonic() - told_at >= _TELL_SECONDS:
                await tell(db)
                told_at = time.monotonic()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("looking after prices failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)
