"""Servers and workers come and go under load: whatever is asked is served, or told to come again; nothing is torn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from scripts._lib.processes import bound_to_parent
from tests.support.product import Customer, Shop, eventually
from tests.support.steady import Tally, steady
from tests.support.verdict import Books

Serve = Callable[[int], AbstractContextManager[Shop]]
Meanwhile = Callable[[], AbstractContextManager[None]]

SOME = 60
"""Calls between two events."""
LEAVE_SECONDS = 45
LOOPS_A_CORE = 4


def customers_of(shop: Shop) -> list[Customer]:
    return [shop.customer(credit="50.00") for _ in range(4)]


def go_on(tally: Tally, calls: int = SOME) -> None:
    """Wait until so many more calls were served."""
    wanted = len(tally.served) + calls
    eventually(lambda: len(tally.served) >= wanted, f"{calls} more calls", 60)


def judge(shop: Shop, customers: list[Customer], tally: Tally) -> None:
    assert tally.broken == []
    assert set(tally.turned_away) <= {503}
    owners = ", ".join(repr(customer.id) for customer in customers)
    records = Books(shop).rows(f"SELECT id, status FROM usage_record WHERE customer_id IN ({owners})")
    assert set(tally.served) == {row["id"] for row in records if row["status"] == "ok"}
    shop.assert_books_are_right()


def take_over(stays: Shop, meanwhile: Meanwhile = nullcontext) -> None:
    """Another server on the same database ends, and this one takes over."""
    customers = customers_of(stays)
    with (
        stays.beside(2) as leaves,
        meanwhile(),
        steady(customers, [leaves.server.port, stays.server.port]) as tally,
    ):
        go_on(tally)
        leaves.server.child.process.send_signal(signal.SIGTERM)
        assert leaves.server.child.process.wait(LEAVE_SECONDS) == 0
        go_on(tally)
    judge(stays, customers, tally)


def workers_of(shop: Shop) -> list[int]:
    parent = shop.server.child.process.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def is_replaced(shop: Shop, worker: int) -> bool:
    present = workers_of(shop)
    return worker not in present and len(present) == 2


def replace_workers(shop: Shop, meanwhile: Meanwhile = nullcontext) -> Tally:
    """Each worker is told to end, and another one comes in its place."""
    customers = customers_of(shop)
    with meanwhile(), steady(customers, [shop.server.port]) as tally:
        go_on(tally)
        for worker in workers_of(shop):
            os.kill(worker, signal.SIGTERM)
            eventually(lambda: is_replaced(shop, worker), "another worker", LEAVE_SECONDS)  # noqa: B023  # asked at once
            go_on(tally, 2 * SOME)
    judge(shop, customers, tally)
    return tally


@contextmanager
def starved() -> Iterator[None]:
    """Programs that never wait take most of every core, each in a session of its own: Linux shares out by sessions."""
    command = bound_to_parent([sys.executable, "-c", "while True: pass"])
    loops = [subprocess.Popen(command, start_new_session=True) for _ in range(LOOPS_A_CORE * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.thorough
def test_one_server_takes_over_from_another(serve: Serve) -> None:
    with serve(2) as stays:
        take_over(stays)


@pytest.mark.thorough
def test_nobody_notices_that_workers_are_replaced(serve: Serve) -> None:
    with serve(2) as shop:
        assert replace_workers(shop).turned_away == {}


@pytest.mark.slow
def test_a_machine_without_time_tears_nothing(serve: Serve) -> None:
    with serve(2) as shop:
        for _ in range(2):
            take_over(shop, starved)
        replace_workers(shop, starved)
