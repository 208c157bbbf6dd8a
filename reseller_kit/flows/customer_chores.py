"""What time does to customers: subscriptions go on or end, credit runs low or out and is told of. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from .credit_alerts import tell_of_expiry, watch_credit
from .runtime import Runtime
from .subscriptions import cancel_departing, follow_up

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 60


async def keep(runtime: Runtime) -> None:
    """Look once a minute for ever, in every process: each step is done and told once. A fault is tried again."""
    while True:
        for chore in (follow_up, watch_credit, tell_of_expiry):
            try:
                await chore(runtime.db)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
                _log.exception("looking after customers failed; trying again")
        try:
            await cancel_departing(runtime.db, runtime.providers)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # see above
            _log.exception("ending subscriptions of customers who leave failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)
