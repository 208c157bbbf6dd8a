"""PostgreSQL's disk is full: no new call reaches an upstream, what runs is settled later, once."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from scripts._lib.postgres import Cluster, running_cluster
from tests.support.crowd import Call, Crowd
from tests.support.outage import live_through
from tests.support.product import Shop, prepared_shop
from tests.support.small_disk import filled, small_disk
from tests.support.verdict import judge, was_asked

Serve = Callable[[int], AbstractContextManager[Shop]]

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

MEGABYTES = 160
MOST_CALLS = 600
"""Pages that a table has already are still written to; so many calls fill them for certain."""
SURELY = 3
"""Refused times in a row: a slow machine refuses now and then for reasons of its own, and goes on."""


@pytest.fixture
def disk() -> Iterator[Path]:
    # Where PostgreSQL's own user can reach it, which folders of the test run are not.
    with tempfile.TemporaryDirectory(prefix="disk-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "full", MEGABYTES) as made:
            if not made.is_mount():
                pytest.fail("a small file system has to be mounted: run this as root")
            yield made


@contextmanager
def whole_server(disk: Path) -> Iterator[str]:
    """Everything of the server is on the disk: its log of changes too, without which it can't go on at all."""
    with running_cluster(durable=True, on=disk) as cluster:
        yield cluster.server.url()


@contextmanager
def tables_alone(disk: Path) -> Iterator[str]:
    """The database's tables are on the disk: each goes on until it needs another page."""
    place = disk / "tables"
    place.mkdir()
    if os.geteuid() == 0:
        shutil.chown(place, "nobody")
    with running_cluster(durable=True) as cluster:
        for statement in (f"CREATE TABLESPACE small LOCATION '{place}'", "CREATE DATABASE shop TABLESPACE small"):
            asyncio.run(administer(cluster, statement))
        yield cluster.server.url("shop")


async def administer(cluster: Cluster, statement: str) -> None:
    connection = await asyncpg.connect(cluster.server.url(driver="postgresql"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("database", [whole_server, tables_alone])
def test_the_disk_is_full(
    database: Callable[[Path], AbstractContextManager[str]], disk: Path, tmp_path: Path, callers: Crowd
) -> None:
    with database(disk) as url, ExitStack() as stack:
        serve = stack.enter_context(prepared_shop(tmp_path, url, emulator_options=("--timeline",)))
        shop = stack.enter_context(serve(1))
        fillers = [shop.customer() for _ in range(4)]
        filling: list[Call] = []

        @contextmanager
        def harm(_shop: Shop) -> Iterator[None]:
            refused = 0
            with filled(disk):
                for number in range(MOST_CALLS // 4):
                    batch = callers.calls_of(shop.server.port, fillers, "[[input=50 output=9]]", stream=False)
                    callers.wait(batch, 30)
                    filling.extend(batch)
                    refused = refused + 1 if all(call.status == 503 for call in batch) else 0
                    if refused == SURELY:
                        print("refused after", number, [c.status for c in filling])
                        break
                else:
                    raise AssertionError("the disk is never full")
                yield

        live_through(shop, callers, harm, seconds=8)
        refused = [call for call in filling if call.status == 503]
        assert was_asked(shop, refused) == []
        time.sleep(2)
        judge(shop, filling)
