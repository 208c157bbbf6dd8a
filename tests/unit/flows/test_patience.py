"""A database that is there and does not answer: the customer is told in time."""

from __future__ import annotations

import asyncio

import pytest

from reseller_kit.core.errors import NotFound, ServiceUnavailable
from reseller_kit.flows.patience import limited_wait


async def test_who_waits_too_long_is_told_to_try_again() -> None:
    with pytest.raises(ServiceUnavailable, match="try again"):
        async with limited_wait(0.01):
            await asyncio.sleep(60)


async def test_what_comes_in_time_is_left_alone() -> None:
    async with limited_wait(60):
        await asyncio.sleep(0)
    with pytest.raises(NotFound):
        async with limited_wait(60):
            raise NotFound("There is no such thing.")


async def test_a_cancelled_caller_stays_cancelled() -> None:
    async def wait() -> None:
        async with limited_wait(60):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
