"""PostgreSQL restarts, crashes, drops its sessions or stands still: nothing free, nothing twice, no call upstream."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from scripts._lib.postgres import Cluster, running_cluster
from tests.support import raw_http
from tests.support.crowd import Crowd
from tests.support.outage import REFUSED_WITHIN_SECONDS, live_through
from tests.support.product import Shop, eventually, prepared_shop
from tests.support.verdict import judge

Serve = Callable[[int], AbstractContextManager[Shop]]

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server of this file's own, with durable commits: what it confirmed must outlive a crash."""
    with running_cluster(durable=True) as made:
        yield made


@pytest.fixture(scope="module")
def serve(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    folder = tmp_path_factory.mktemp("house-cluster")
    with prepared_shop(folder, cluster.server.url(), emulator_options=("--timeline",)) as made:
        yield made


@pytest.mark.thorough
@pytest.mark.parametrize(
    "mode",
    [pytest.param(signal.SIGINT, marks=pytest.mark.slow, id="fast"), pytest.param(signal.SIGQUIT, id="immediate")],
)
def test_the_server_is_restarted(serve: Serve, callers: Crowd, cluster: Cluster, mode: signal.Signals) -> None:
    @contextmanager
    def restarting(_shop: Shop) -> Iterator[None]:
        cluster.stop(mode)
        try:
            yield
        finally:
            cluster.start()

    with serve(1) as shop:
        live_through(shop, callers, restarting, seconds=5)


@contextmanager
def standing_still(cluster: Cluster) -> Iterator[None]:
    pid = cluster.server.pid
    processes = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.slow
def test_the_server_stands_still(serve: Serve, callers: Crowd, cluster: Cluster) -> None:
    with serve(1) as shop:
        live_through(shop, callers, lambda _shop: standing_still(cluster), seconds=10)


@pytest.mark.slow
def test_nobody_waits_long_to_read_from_a_server_that_stands_still(serve: Serve, cluster: Cluster) -> None:
    paths = ["/v1/credits", "/v1/usage", "/v1/usage/req_01M8AQYWPE5A2XV7CZR3FVFW5Z"]
    with serve(1) as shop, ThreadPoolExecutor(len(paths)) as readers:
        customer = shop.customer()

        def read(path: str) -> raw_http.Reply | None:
            head = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in customer.headers.items())]
            return raw_http.exchange(shop.server.port, "\r\n".join([*head, "connection: close", "", ""]).encode())

        before = [read(path) for path in paths]
        assert [reply.status for reply in before if reply] == [200, 200, 404]
        with standing_still(cluster):
            began_at = time.monotonic()
            replies = list(readers.map(read, paths))
            assert time.monotonic() - began_at < REFUSED_WITHIN_SECONDS
        assert [reply.status for reply in replies if reply] == [503] * len(paths)
        assert all(json.loads(reply.body)["error"]["message"] for reply in replies if reply)
        after = eventually(lambda: (reply := read(paths[0])) and reply.status == 200, "the balance")
        assert after


@pytest.mark.slow
def test_the_administrator_ends_every_session(serve: Serve, callers: Crowd, cluster: Cluster) -> None:
    with serve(1) as shop:
        port = shop.server.port
        customers = [shop.customer() for _ in range(4)]
        text = "[[input=500 cached=0 output=100 pace=0.05]]"
        running = [callers.call(port, customers[n % 4], text) for n in range(12)]
        callers.wait_for_tokens(running, 10)
        plain = []
        for _ in range(4):
            ended = asyncio.run(end_sessions(cluster))
            assert ended > 0
            plain += callers.calls_of(port, customers, "[[input=50 output=9]]", stream=False)
            time.sleep(0.6)
        callers.wait([*running, *plain], 30)
        assert all(call.finished for call in running)
        assert all(call.finished or call.status == 503 for call in plain)
        time.sleep(3)
        judge(shop, [*running, *plain])


@pytest.mark.slow
def test_holds_can_be_written_and_what_they_settle_to_cannot(serve: Serve, callers: Crowd, cluster: Cluster) -> None:
    """Of a disk that is nearly full one table may have room where another has none: no call goes out that can't end."""

    @contextmanager
    def without_room(shop: Shop) -> Iterator[None]:
        asyncio.run(execute(cluster, NO_ROOM_FOR_USAGE))
        try:
            first = callers.call(shop.server.port, shop.customer(), "[[input=50 output=9]]", stream=False)
            callers.wait([first], 15)
            yield
        finally:
            asyncio.run(execute(cluster, "DROP FUNCTION no_room CASCADE"))

    with serve(1) as shop:
        live_through(shop, callers, without_room, seconds=8)


NO_ROOM_FOR_USAGE = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON usage_record FOR EACH STATEMENT EXECUTE FUNCTION no_room()
"""


async def execute(cluster: Cluster, sql: str) -> None:
    connection = await asyncpg.connect(cluster.server.url(driver="postgresql"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def end_sessions(cluster: Cluster) -> int:
    """End every session but this one; how many."""
    connection = await asyncpg.connect(cluster.server.url(driver="postgresql"))
    try:
        sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        return int(await connection.fetchval(sql + " AND backend_type = 'client backend'"))
    finally:
        await connection.close()
