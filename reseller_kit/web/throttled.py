"""Attempts that came too often and answers that must not tell by their time, as pages show them."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

from ..core.errors import InvalidForm, RateLimited

_TICK_SECONDS: Final = 0.4


def too_many(error: RateLimited) -> tuple[InvalidForm, int, dict[str, str]]:
    """A refused attempt as a form's problem, with its status and headers."""
    minutes = max(1, math.ceil(error.retry_after_seconds / 60))
    problem = InvalidForm({"": ("form.too_many", {"minutes": minutes})})
    return problem, 429, {"retry-after": str(error.retry_after_seconds)}


async def until_tick(began: float) -> None:
    """Wait for the next full tick since `began`: what was found out meanwhile can't be told from the time it took."""
    passed = time.monotonic() - began
    await asyncio.sleep(math.ceil(passed / _TICK_SECONDS) * _TICK_SECONDS - passed)
