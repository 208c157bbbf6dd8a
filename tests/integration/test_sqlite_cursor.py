"""Statements on the embedded database: one trip to the connection's thread each, and the same results as ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from reseller_kit.db.engine import EVERY_TENANT, Database


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What connections' threads were asked to do."""
    seen: list[str] = []
    real = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        seen.append(work.__name__)
        return await real(self, work, *arguments, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return seen


async def test_a_statement_is_one_trip(tmp_path: Path, trips: list[str]) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/one.db")
    async with db.read(EVERY_TENANT) as connection:
        trips.clear()
        for number in range(3):
            rows = await connection.execute(text("SELECT :number AS n UNION ALL SELECT 9"), {"number": number})
            assert rows.scalars().all() == [number, 9]
    assert len(trips) == 5, trips  # the first and the last are the transaction's
    await db.close()


async def test_rows_errors_and_counts_are_what_they_were(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/two.db")
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(text("CREATE TABLE sheep (name TEXT)"))
        many = await connection.execute(text("INSERT INTO sheep VALUES (:name)"), [{"name": "Ada"}, {"name": "Bo"}])
        assert many.rowcount == 2
        with pytest.raises(OperationalError, match="no such table"):
            await connection.execute(text("SELECT * FROM goats"))
    async with db.read(EVERY_TENANT) as connection:
        assert (await connection.execute(text("SELECT name FROM sheep ORDER BY name"))).scalars().all() == ["Ada", "Bo"]
        assert (await connection.execute(text("SELECT name FROM sheep WHERE 0"))).first() is None
    await db.close()


async def test_a_caller_that_leaves_in_the_middle_of_a_statement_hurts_nobody(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/three.db")
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"

    async def asks() -> None:
        async with db.read(EVERY_TENANT) as connection:
            await connection.execute(text(long))

    async with db.read(EVERY_TENANT) as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    asked = asyncio.create_task(asks())
    await asyncio.sleep(0.02)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    async with db.read(EVERY_TENANT) as connection:
        assert await connection.scalar(text("SELECT 7")) == 7
    await db.close()


async def test_a_database_that_is_closed_waits_for_the_work_under_way(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/four.db")
    inside, go_on = asyncio.Event(), asyncio.Event()
    opened: list[aiosqlite.Connection] = []

    async def works() -> int:
        async with db.read(EVERY_TENANT) as connection:
            found = await connection.get_raw_connection()
            assert isinstance(found.driver_connection, aiosqlite.Connection)
            opened.append(found.driver_connection)
            inside.set()
            await go_on.wait()
            return int(await connection.scalar(text("SELECT 7")))

    work = asyncio.create_task(works())
    await inside.wait()
    closing = asyncio.create_task(db.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    go_on.set()
    assert await work == 7
    await closing
    with pytest.raises(ValueError, match="no active connection"):
        await opened[0].execute("SELECT 1")
