"""A hold that finds its lease lost is placed once more, unless it may be durable already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.core.ledger import Hold
from reseller_kit.db.ledger import LostLease, PlaceHold
from reseller_kit.flows.call.admit import _place
from reseller_kit.flows.heartbeat import Heartbeat

Place = Callable[[Any], object]
LOST = LostLease("lost")


def hold(epoch: int) -> Hold:
    return Hold(
        request_id="req_1",
        tenant_id=1,
        customer_id="cus_1",
        wallet_id=1,
        reseller_wallet_id=2,
        key_id="key_1",
        window_started_at=0,
        model="m",
        retail_version="prc_1",
        wholesale_version="prc_2",
        output_limit=1,
        retail=1,
        wholesale=1,
        allocations=[],
        created_at=0,
        epoch=epoch,
    )


async def placed(*answers: Place, renewed: int = 2) -> tuple[object, int]:
    """What came of a hold whose tries are answered so, while the lease goes on in epoch `renewed`; tries left over."""
    heart, left = Heartbeat(), iter(answers)

    async def place(_item: PlaceHold) -> object:
        return next(left)(ledger)

    async def keep() -> None:
        await heart.wanted.wait()
        ledger.epoch = renewed
        heart.confirm()

    ledger = SimpleNamespace(epoch=1, place=place)
    runtime: Any = SimpleNamespace(ledger=ledger, heartbeat=heart)
    keeper = asyncio.create_task(keep())
    try:
        outcome: object = await asyncio.wait_for(_place(runtime, None), 30)  # type: ignore[arg-type]
    except LostLease as error:
        outcome = error
    finally:
        keeper.cancel()
    return outcome, len(list(left))


def lost(_ledger: Any) -> object:
    raise LOST


def begun_anew(ledger: Any) -> object:
    ledger.epoch = 2
    raise LOST


def under(epoch: int) -> Place:
    return lambda _ledger: hold(epoch)


def in_between(ledger: Any) -> object:
    """Committed under an epoch that is over when the answer is read."""
    found, ledger.epoch = hold(ledger.epoch), ledger.epoch + 1
    return found


@pytest.mark.parametrize("first", [lost, begun_anew])
async def test_it_is_placed_under_the_next_epoch(first: Place) -> None:
    outcome, left = await placed(first, under(2))
    assert isinstance(outcome, Hold)
    assert (outcome.epoch, left) == (2, 0)


async def test_without_a_next_epoch_it_is_refused() -> None:
    assert await placed(lost, under(1), renewed=1) == (LOST, 1)


async def test_it_is_tried_twice_at_most() -> None:
    assert await placed(lost, lost, under(2)) == (LOST, 1)


async def test_one_that_is_durable_under_a_lost_epoch_is_left_to_the_sweep() -> None:
    outcome, left = await placed(in_between, under(2))
    assert isinstance(outcome, LostLease)
    assert left == 1
