"""A database that is there and does not answer: the customer is told in time."""

from __future__ import annotations

import asyncio

import pytest

from reseller_kit.core.errors import NotFound, Overloaded, ServiceUnavailable
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


class Wrapped(Exception):
    """As SQLAlchemy hands on what a driver raises."""

    def __init__(self, orig: Exception) -> None:
        self.orig = orig


class OfTheDriver(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("nobody listens"), OfTheDriver("57P03"), Wrapped(OfTheDriver("57P01"))], ids=repr
)
async def test_a_database_that_refuses_is_one_that_does_not_answer(error: Exception) -> None:
    with pytest.raises(Overloaded) as raised:
        async with limited_wait():
            raise error
    assert raised.value.retry_after_seconds == 1
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [OfTheDriver("23505"), Wrapped(OfTheDriver("42P01")), KeyError("x")], ids=repr)
async def test_what_is_wrong_with_a_statement_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)):
        async with limited_wait():
            raise error
