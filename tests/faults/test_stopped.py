"""A process that stands still for longer than its lease: others settle for it, and it does nothing twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support.crowd import Crowd
from tests.support.product import Shop, eventually
from tests.support.verdict import Books, is_embedded, judge, sqlite_path

Serve = Callable[[int], AbstractContextManager[Shop]]

STREAM = "[[input=500 cached=0 output=400 pace=0.05]]"
HELD_UP_SECONDS = 10.0
TRIES = 400
LOOKS = 20


def stop(shop: Shop, *, committing: bool = False) -> float:
    """The server stands still, outside or inside of a commit; when, by the wall clock."""
    process = shop.server.child.process
    for _ in range(TRIES):
        process.send_signal(signal.SIGSTOP)
        stopped_at = time.time()
        time.sleep(0.02)
        if held_throughout(shop) if committing else not holds_the_lock(shop):
            return stopped_at
        process.send_signal(signal.SIGCONT)
        time.sleep(random.uniform(0.005, 0.05))
    raise AssertionError(f"no such moment in {TRIES} tries")


def held_throughout(shop: Shop) -> bool:
    """Whether the lock stays held: it is that of the process which stands still, not another one's in passing."""
    for _ in range(LOOKS):
        if not holds_the_lock(shop):
            return False
        time.sleep(0.05)
    return True


def holds_the_lock(shop: Shop) -> bool:
    """Whether somebody holds the embedded database's one write lock."""
    if not is_embedded(shop):
        return False
    connection = sqlite3.connect(sqlite_path(shop), isolation_level=None, timeout=0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def stop_and_wake(serve: Serve, callers: Crowd, streams: int) -> None:
    with serve(1) as survivor, survivor.beside() as sleeper:
        port, process = sleeper.server.port, sleeper.server.child.process
        customers = [sleeper.customer() for _ in range(4)]
        running = [callers.call(port, customers[n % 4], STREAM) for n in range(streams)]
        waiting = [
            callers.call(port, customers[0], "[[delay=30]]", stream=True),
            callers.call(port, customers[1], "[[delay=30]]", stream=False),
        ]
        callers.wait_for_tokens(running, 50)
        stopped_at = stop(sleeper)
        try:
            Books(survivor).wait_until_resolved(customers, stopped_at, HELD_UP_SECONDS)
            had = [call.tokens for call in running]
        finally:
            process.send_signal(signal.SIGCONT)
        # The upstream went on talking to a process that did not listen. None of that may be handed on unpaid.
        callers.wait([*running, *waiting], 10)
        assert all(call.failed_in_band for call in running)
        assert [call.tokens - before for call, before in zip(running, had, strict=True)] == [0] * streams
        assert [call.status for call in waiting] == [503, 503]
        records = judge(survivor, [*running, *waiting], stopped_at=stopped_at)
        assert len(records) == streams + len(waiting)
        later = [sleeper.customer() for _ in range(2)]
        again = [callers.call(port, customer, "[[input=50 output=20]]") for customer in later]
        callers.wait(again, 20)
        assert all(call.finished for call in again)
        eventually(lambda: "began epoch 2" in sleeper.log(), "the next epoch")
        judge(survivor, again)


@pytest.mark.thorough
def test_who_stood_still_past_its_lease_serves_nothing_unpaid(serve: Serve, callers: Crowd) -> None:
    stop_and_wake(serve, callers, streams=10)


@pytest.mark.slow
def test_a_hundred_streams_stand_still(serve: Serve, callers: Crowd) -> None:
    stop_and_wake(serve, callers, streams=100)


@pytest.mark.slow
def test_who_stood_still_alone_goes_on(serve: Serve, callers: Crowd) -> None:
    """Nobody took its lease, so its holds are still its own, and its customers get all of it."""
    with serve(1) as shop:
        customers = [shop.customer() for _ in range(2)]
        text = "[[input=500 cached=0 output=100 pace=0.05]]"
        running = [callers.call(shop.server.port, customers[n % 2], text) for n in range(6)]
        callers.wait_for_tokens(running, 20)
        shop.server.child.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        shop.server.child.process.send_signal(signal.SIGCONT)
        callers.wait(running, 30)
        assert all(call.finished for call in running)
        judge(shop, running)


@pytest.mark.slow
def test_who_stands_still_in_a_commit_holds_the_others_up_and_loses_nothing(
    houses: Callable[[str], Serve], callers: Crowd
) -> None:
    """SQLite has one write lock for all: nobody is taken for dead behind it, and everything goes on."""
    with houses("sqlite")(1) as survivor, survivor.beside() as sleeper:
        customers = [sleeper.customer() for _ in range(3)]
        text = "[[input=500 cached=0 output=160 pace=0.05]]"
        running = [callers.call(sleeper.server.port, customers[n % 3], text) for n in range(12)]
        callers.wait_for_tokens(running, 20)
        stop(sleeper, committing=True)
        refused = callers.call(survivor.server.port, customers[0], "Hi", stream=False)
        callers.wait([refused], 10)
        assert refused.status == 503
        sleeper.server.child.process.send_signal(signal.SIGCONT)
        callers.wait(running, 30)
        assert all(call.finished for call in running), [call.received[-200:] for call in running]
        # The refused call's hold may have become durable behind the lock; then the sweep voids it.
        Books(survivor).wait_until_resolved(customers, time.time(), HELD_UP_SECONDS)
        judge(survivor, [*running, refused])
