"""A file that can't be written for a while: no new call reaches an upstream, what runs is settled later, once."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.crowd import Crowd
from tests.support.outage import live_through
from tests.support.product import Shop, prepared_shop
from tests.support.small_disk import filled, small_disk
from tests.support.verdict import judge, sqlite_path

Serve = Callable[[int], AbstractContextManager[Shop]]


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Somebody else holds the file's write lock."""
    connection = sqlite3.connect(sqlite_path(shop), isolation_level=None, timeout=10)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def capped(shop: Shop) -> Iterator[None]:
    """The server's files can't grow: writes fail with EFBIG, as on a file system that is at its limit."""
    pid = shop.server.child.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def assert_file_is_whole(shop: Shop) -> None:
    connection = sqlite3.connect(sqlite_path(shop))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.thorough
@pytest.mark.parametrize("seconds", [6, pytest.param(10, marks=pytest.mark.slow)])
def test_the_file_is_locked_by_another_process(houses: Callable[[str], Serve], callers: Crowd, seconds: float) -> None:
    with houses("sqlite")(1) as shop:
        live_through(shop, callers, locked, seconds=seconds)


@pytest.mark.slow
def test_the_files_cannot_grow(houses: Callable[[str], Serve], callers: Crowd) -> None:
    with houses("sqlite")(1) as shop:
        live_through(shop, callers, capped, seconds=8)
    assert_file_is_whole(shop)


@pytest.mark.slow
def test_the_disk_is_full(tmp_path: Path, callers: Crowd) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        # Where nothing may be mounted the same server meets the limit of its process instead.
        harm = (lambda _shop: filled(disk)) if disk.is_mount() else capped
        url = f"sqlite+aiosqlite:///{disk / 'shop.db'}"
        with prepared_shop(tmp_path, url, emulator_options=("--timeline",)) as serve, serve(1) as shop:
            live_through(shop, callers, harm, seconds=10)
            assert_file_is_whole(shop)


@pytest.mark.slow
def test_after_an_outage_nobody_takes_the_living_for_dead(houses: Callable[[str], Serve], callers: Crowd) -> None:
    """Every lease is old when the file is free again: each process gets the time to renew its own."""
    with houses("sqlite")(1) as shop, shop.beside() as other:
        customers = [shop.customer() for _ in range(2)]
        text = "[[input=500 cached=0 output=260 pace=0.05]]"
        running = [callers.call(each.server.port, customers[n], text) for n, each in enumerate((shop, other))]
        callers.wait_for_tokens(running, 10)
        with locked(shop):
            time.sleep(6)
        callers.wait(running, 40)
        assert all(call.finished for call in running), [call.received[-300:] for call in running]
        judge(shop, running)
