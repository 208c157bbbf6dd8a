"""What pages announce is read once for all who ask at the same time, and no page fails for want of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reseller_kit.db import announcements
from reseller_kit.flows.announce import Board


class SlowDatabase:
    """Counts reads, and lets each wait until it is told."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.go = asyncio.Event()
        self.fails = False

    @asynccontextmanager
    async def read(self, tenant_id: int) -> AsyncIterator[None]:
        self.reads.append(tenant_id)
        await self.go.wait()
        if self.fails:
            raise OSError("away")
        yield


def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    return asyncio.create_task(work, name=name)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    async def current(_connection: None, tenant_id: int, _now: int, _limit: int) -> list[str]:
        return [f"news of {tenant_id}"]

    monkeypatch.setattr(announcements, "current", current)
    return lambda db: Board(db, spawn)


async def test_a_crowd_reads_once_a_storefront(board: Callable[[Any], Any]) -> None:
    db = SlowDatabase()
    made = board(db)
    asking = [asyncio.ensure_future(made.of(tenant_id)) for tenant_id in (1, 2) * 50]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking[0].cancel()  # whoever began the read leaves
    db.go.set()
    answers = await asyncio.gather(*asking[1:])
    assert answers == [[f"news of {tenant_id}"] for tenant_id in ((1, 2) * 50)[1:]]
    assert sorted(db.reads) == [1, 2]
    assert await made.of(1) == ["news of 1"]
    assert sorted(db.reads) == [1, 2], "it is remembered for a moment"


async def test_a_database_that_is_away_costs_the_crowd_one_read(board: Callable[[Any], Any]) -> None:
    db = SlowDatabase()
    db.fails = True
    made = board(db)
    asking = [asyncio.ensure_future(made.of(1)) for _ in range(20)]
    await asyncio.sleep(0)
    db.go.set()
    assert await asyncio.gather(*asking) == [[]] * 20
    assert db.reads == [1]
