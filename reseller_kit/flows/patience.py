"""How long a customer waits for the database before it is told to try again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..core.errors import ServiceUnavailable

WAIT_SECONDS: Final = 5.0


@asynccontextmanager
async def limited_wait(seconds: float = WAIT_SECONDS) -> AsyncIterator[None]:
    """Raises ServiceUnavailable when what is inside takes longer: a database may be there and not answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ServiceUnavailable("The service is not available right now. Please try again in a moment.") from error
