"""SQLite's log is copied into the database beside the commits before it is long, and begun anew."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from reseller_kit.core.ledger import Hold
from reseller_kit.db import sqlite_driver
from reseller_kit.db.engine import Database
from tests.support.databases import Databases
from tests.support.ledger import Shop, grant, hold, make_shop, open_ledger
from tests.support.writer import assert_sound

pytestmark = pytest.mark.usefixtures("short_log")

_PAGE: int = 4096 + 24


@pytest.fixture
async def sqlite(databases: Databases) -> AsyncIterator[Database]:
    """A database with the schema, and no rows."""
    async with databases.ready("sqlite") as url:
        opened = Database(url)
        yield opened
        await opened.close()


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is long with a hundred pages, some eight commits."""
    monkeypatch.setattr("reseller_kit.db.ledger.sqlite._LOG_PAGES", 100)
    monkeypatch.setattr("reseller_kit.db.ledger.sqlite._REST_PAGES", 80)
    monkeypatch.setattr("reseller_kit.db.ledger.sqlite._LOOK_EVERY", 2)


@pytest.fixture
def copiers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that copied."""
    found: list[str] = []
    copy = sqlite_driver.copy_log

    def noted(connection: object) -> None:
        found.append(threading.current_thread().name)
        copy(connection)  # type: ignore[arg-type]

    monkeypatch.setattr("reseller_kit.db.sqlite_driver.copy_log", noted)
    return found


async def place_and_wait(db: Database, shop: Shop, calls: int) -> None:
    """So many holds, each a commit of its own."""
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000_000))
        for _ in range(calls):
            assert isinstance(await ledger.submit(hold(shop, 1)), Hold)


async def test_a_long_log_is_copied_and_begun_anew(sqlite: Database, copiers: list[str]) -> None:
    await place_and_wait(sqlite, await make_shop(sqlite), 200)
    assert log_pages(sqlite) < 1_000, "200 commits write some 2,000 pages"
    assert "ledger-commit" in copiers, "what is left of it is copied between two commits"
    assert set(copiers) > {"ledger-commit"}, "and most of it by another thread, while commits go on"
    assert threading.current_thread().name not in copiers
    await assert_sound(sqlite)


async def test_who_still_reads_an_old_state_keeps_the_log_and_nothing_else(sqlite: Database) -> None:
    shop = await make_shop(sqlite)
    with closing(sqlite_driver.connect(sqlite.path, query_only=True)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM hold").fetchone()
        await place_and_wait(sqlite, shop, 200)
        kept = log_pages(sqlite)
        assert reader.execute("SELECT count(*) FROM hold").fetchone() == before
        reader.execute("ROLLBACK")
    assert kept > 1_000
    await place_and_wait(sqlite, shop, 200)
    assert log_pages(sqlite) < kept + 1_000
    await assert_sound(sqlite)


async def test_a_log_that_cannot_be_copied_disturbs_nobody(sqlite: Database, tmp_path: Path) -> None:
    shop = await make_shop(sqlite)
    async with open_ledger(sqlite) as ledger:
        ledger._store._path = str(tmp_path / "nowhere" / "shop.db")  # type: ignore[attr-defined]
        await ledger.submit(grant(shop, 1_000))
        for _ in range(30):
            assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
    await assert_sound(sqlite)


def log_pages(db: Database) -> int:
    """How long the log ever was since all connections were closed."""
    return Path(f"{db.path}-wal").stat().st_size // _PAGE
