"""What time does to prices: lets scheduled ones begin, and tells customers of changes. Decides on neither."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

from .notices import tell
from .runtime import Runtime
from .schedule import begin_due

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 1
_TELL_SECONDS: Final = 5
_NOTHING_NEW_SECONDS: Final = 60
"""Where nothing was configured anew only time brings something to tell: the day from which a change is announced."""
_BREATH_SECONDS: Final = 0.02
"""Between storefronts: calls come first."""


async def keep(runtime: Runtime) -> None:
    """Do so for ever, in every process: each change begins once and is told of once. A fault is logged and tried again.

    Running servers charge a new price from its moment on, whether or not this has caught up.
    """
    told_at, told_of = -math.inf, -1
    while True:
        try:
            await begin_due(runtime.db)
            silent, read_at = time.monotonic() - told_at, runtime.snapshot.read_at
            if silent >= (_TELL_SECONDS if read_at != told_of else _NOTHING_NEW_SECONDS):
                await tell(runtime.db, pause_seconds=_BREATH_SECONDS)
                told_at, told_of = time.monotonic(), read_at
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("looking after prices failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)
