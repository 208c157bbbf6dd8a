"""The pool's connections to PostgreSQL: used again without a question, replaced when the server closed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection

from reseller_kit.db import postgres_pool
from reseller_kit.db.engine import NO_TENANT, Database

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections that were asked whether they live; what is put into its place is raised instead of asking."""
    asked: list[Any] = []
    ask: Callable[[Any], None] = AsyncAdapt_asyncpg_connection.ping

    def ping(connection: Any) -> None:
        asked.append(connection.driver_connection)
        if isinstance(asked[0], Exception):
            raise asked[0]
        ask(connection)

    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", ping)
    return asked


async def process_id(db: Database) -> int:
    async with db.read(NO_TENANT) as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_connection_is_asked_only_when_it_lay_idle(
    db: Database, pings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_pool, "_ASKED_AFTER_SECONDS", 3600)
    used = [await process_id(db) for _ in range(3)]
    assert (len(set(used)), pings) == (1, [])
    monkeypatch.setattr(postgres_pool, "_ASKED_AFTER_SECONDS", 0)
    assert [await process_id(db), len(pings)] == [used[0], 1]


@pytest.mark.parametrize("asked_after_seconds", [0, 3600])
async def test_one_that_the_server_closed_is_replaced(
    db: Database, pings: list[Any], monkeypatch: pytest.MonkeyPatch, asked_after_seconds: int
) -> None:
    monkeypatch.setattr(postgres_pool, "_ASKED_AFTER_SECONDS", asked_after_seconds)
    closed = await process_id(db)
    other = await asyncpg.connect(db.postgres_dsn)
    await other.execute("SELECT pg_terminate_backend($1, 5000)", closed)
    await other.close()
    assert await process_id(db) != closed
    assert pings == []


@pytest.mark.parametrize("refusal", [ConnectionResetError(), AsyncAdapt_asyncpg_connection])
async def test_one_that_does_not_answer_is_replaced(
    db: Database, pings: list[Any], monkeypatch: pytest.MonkeyPatch, refusal: Any
) -> None:
    silent = await process_id(db)
    monkeypatch.setattr(postgres_pool, "_ASKED_AFTER_SECONDS", 0)
    if not isinstance(refusal, Exception):
        refusal = db._writer.dialect.loaded_dbapi.InterfaceError("gone")
    pings.append(refusal)
    assert await process_id(db) != silent
