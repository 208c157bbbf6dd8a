"""A process that stood still knows it, and waits for its lease to be looked at."""

from __future__ import annotations

import asyncio

from reseller_kit.flows.heartbeat import Heartbeat


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.shown = 100.0

    def __call__(self) -> float:
        return self.shown


def test_a_process_that_runs_is_in_no_doubt() -> None:
    clock = Clock()
    heart = Heartbeat(clock)
    for _ in range(50):
        clock.shown += 0.3
        heart.beat()
        assert not heart.doubtful()
    assert not heart.wanted.is_set()


def test_a_pause_is_noticed_before_the_next_beat_and_behind_it() -> None:
    clock = Clock()
    heart = Heartbeat(clock)
    clock.shown += 3
    assert heart.doubtful()
    heart.beat()
    assert heart.doubtful()
    assert heart.wanted.is_set()
    heart.confirm()
    assert not heart.doubtful()
    assert not heart.wanted.is_set()


async def test_who_is_in_doubt_waits_for_the_lease() -> None:
    clock = Clock()
    heart = Heartbeat(clock)
    clock.shown += 3
    waiting = asyncio.ensure_future(heart.confirmed())
    await asyncio.sleep(0)
    assert heart.wanted.is_set()
    assert not waiting.done()
    heart.confirm()
    await asyncio.wait_for(waiting, 30)


async def test_whoever_was_told_that_the_lease_is_lost_waits_for_it() -> None:
    heart = Heartbeat(Clock())
    heart.doubt()
    waiting = asyncio.ensure_future(heart.confirmed())
    await asyncio.sleep(0)
    assert heart.wanted.is_set()
    assert not waiting.done()
    heart.confirm()
    await asyncio.wait_for(waiting, 30)
