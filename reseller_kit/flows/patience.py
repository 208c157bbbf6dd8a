"""How long a customer waits for the database before it is told to try again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..core.errors import Overloaded
from ..db.ledger import is_away

WAIT_SECONDS: Final = 5.0


@asynccontextmanager
async def limited_wait(seconds: float = WAIT_SECONDS) -> AsyncIterator[None]:
    """Raises Overloaded when the database can't be reached, or when what is inside takes longer than so.

    It may be there and not answer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise _unavailable() from error
    except Exception as error:
        if is_away(error):
            raise _unavailable() from error
        raise


def _unavailable() -> Overloaded:
    return Overloaded("The service is not available right now. Please try again in a moment.", retry_after_seconds=1)
