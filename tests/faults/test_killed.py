"""`kill -9` under load: each hold ends once, nothing is billed that was not delivered, a second at most is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.crowd import Call, Crowd
from tests.support.product import Customer, Shop, eventually
from tests.support.verdict import Books, Row, judge

Serve = Callable[[int], AbstractContextManager[Shop]]

STREAM = "[[input=500 cached=0 output=600 pace=0.1]]"
LEASE_AND_MARGIN_SECONDS = 5.0
LOADED_SECONDS = 5.0
"""On top, for a machine that has other things to do."""


def kill(shop: Shop) -> float:
    """The server dies; when, by the wall clock."""
    shop.server.child.process.kill()
    at = time.time()
    shop.server.child.process.wait()
    return at


def die_with_streams_open(serve: Serve, callers: Crowd, streams: int, rounds: int) -> None:
    for _ in range(rounds):
        with serve(1) as victim:
            customers = [victim.customer() for _ in range(8)]
            running = [callers.call(victim.server.port, customers[n % 8], STREAM) for n in range(streams)]
            waiting = callers.calls_of(victim.server.port, customers[:2], "[[delay=60]]", stream=False)
            done = callers.calls_of(victim.server.port, customers, "[[input=500 output=20]]", stream=False)
            callers.wait(done, 60)
            callers.wait_for_tokens(running, 30)
            died_at = kill(victim)
            callers.wait([*running, *waiting], 10)
        with serve(1) as heir:
            ready_at = time.time()
            took = Books(heir).wait_until_resolved(customers, ready_at, LEASE_AND_MARGIN_SECONDS + LOADED_SECONDS)
            records = judge(heir, [*running, *waiting, *done], stopped_at=died_at)
        print(f"{streams} streams: resolved {took:.2f} s after the restart")
        assert len(records) == streams + len(waiting) + len(done)
        assert sum(record["status"] == "cut" for record in records.values()) == streams


@pytest.mark.thorough
def test_the_next_start_settles_the_streams_of_a_server_that_was_killed(serve: Serve, callers: Crowd) -> None:
    die_with_streams_open(serve, callers, streams=40, rounds=1)


@pytest.mark.slow
def test_three_times_two_hundred_streams_are_killed(serve: Serve, callers: Crowd) -> None:
    die_with_streams_open(serve, callers, streams=200, rounds=3)


@pytest.mark.slow
def test_what_a_stream_gave_before_it_fell_silent_is_paid_for(serve: Serve, callers: Crowd) -> None:
    """Everything comes within a second, then nothing for long: no later token reminds anybody of a checkpoint."""
    with serve(1) as survivor, survivor.beside() as victim:
        customers = [victim.customer() for _ in range(2)]
        burst = "[[input=500 cached=0 output=30 pace=0.02 silence=60]]"
        running = [callers.call(victim.server.port, customer, burst) for customer in customers]
        callers.wait_for_tokens(running, 30)
        time.sleep(2.5)
        kill(victim)
        callers.wait(running, 10)
        records = judge_after(survivor, customers, running)
        assert [record["status"] for record in records] == ["cut", "cut"]
        assert all('"output":30' in record["quantities"] for record in records)


def judge_after(survivor: Shop, customers: list[Customer], calls: list[Call]) -> list[Row]:
    Books(survivor).wait_until_resolved(customers, time.time(), LEASE_AND_MARGIN_SECONDS + LOADED_SECONDS)
    return list(judge(survivor, calls).values())


@pytest.mark.slow
def test_a_survivor_settles_and_its_own_customers_notice_nothing(serve: Serve, callers: Crowd) -> None:
    with serve(1) as survivor, survivor.beside() as victim:
        theirs, ours = [victim.customer() for _ in range(4)], [survivor.customer() for _ in range(4)]
        lost = [callers.call(victim.server.port, theirs[n % 4], STREAM) for n in range(20)]
        kept = [callers.call(survivor.server.port, ours[n % 4], "[[input=500 output=60 pace=0.1]]") for n in range(8)]
        callers.wait_for_tokens([*lost, *kept], 25)
        died_at = kill(victim)
        plain = callers.calls_of(survivor.server.port, ours, "[[input=90 output=9]]", stream=False)
        Books(survivor).wait_until_resolved(theirs, died_at, LEASE_AND_MARGIN_SECONDS + LOADED_SECONDS)
        callers.wait([*lost, *kept, *plain], 60)
        assert all(call.finished for call in (*kept, *plain))
        judge(survivor, lost, stopped_at=died_at)
        judge(survivor, [*kept, *plain])


@pytest.mark.slow
def test_a_killed_worker_is_followed_by_another_that_settles(serve: Serve, callers: Crowd) -> None:
    with serve(2) as shop:
        customers = [shop.customer() for _ in range(4)]
        running = [callers.call(shop.server.port, customers[n % 4], STREAM) for n in range(20)]
        callers.wait_for_tokens(running, 25)
        parent = shop.server.child.process.pid
        worker = int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])
        os.kill(worker, signal.SIGKILL)
        died_at = time.time()
        ended = eventually(lambda: [call for call in running if call.over], "the end of the streams")
        time.sleep(0.3)
        ended = [call for call in running if call.over]
        assert all(not call.finished for call in ended)
        shop.server.child.process.send_signal(signal.SIGTERM)
        shop.server.child.process.wait(timeout=60)
        callers.wait(running, 10)
    with serve(1) as heir:
        Books(heir).wait_until_resolved(customers, time.time(), LEASE_AND_MARGIN_SECONDS + LOADED_SECONDS)
        judge(heir, running, stopped_at=died_at)


def die_at_any_moment(serve: Serve, callers: Crowd, rounds: int, seed: int) -> int:
    """The server dies at some moment between the hold and the last byte of calls of every kind; holds that it left."""
    chance = random.Random(seed)
    left, slowest = 0, 0.0
    kinds = [("[[input=500 cached=0 output=40]]", True), ("[[input=500 output=40]]", False), (STREAM, True)]
    with serve(1) as survivor:
        for _ in range(rounds):
            customers = [survivor.customer() for _ in range(2)]
            with survivor.beside() as victim:
                port, calls = victim.server.port, []
                begun = callers.call(port, customers[0], "Hi", stream=False)
                callers.wait([begun], 20)
                for _ in range(3):
                    calls += [callers.call(port, c, text, stream=s) for c in customers for text, s in kinds]
                    time.sleep(chance.uniform(0.0, 0.03))
                died_at = kill(victim)
                left += Books(survivor).open_holds(customers)
                callers.wait(calls, 10)
            took = Books(survivor).wait_until_resolved(customers, died_at, LEASE_AND_MARGIN_SECONDS + LOADED_SECONDS)
            slowest = max(slowest, took)
            judge(survivor, [begun, *calls], stopped_at=died_at)
    print(f"{rounds} deaths left {left} holds; the slowest was resolved after {slowest:.2f} s")
    return left


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_fifty_servers_are_killed_at_any_moment_of_a_call(serve: Serve, callers: Crowd, seed: int) -> None:
    assert die_at_any_moment(serve, callers, rounds=5, seed=seed) > 0
