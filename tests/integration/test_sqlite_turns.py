"""Who waits for SQLite's write lock gets it, also beside a process that commits without a pause."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from reseller_kit.db import sqlite_driver


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A database with one table."""
    found = str(tmp_path / "turns.db")
    with closing(sqlite_driver.connect(found)) as connection:
        connection.execute("CREATE TABLE line (at REAL)")
    return found


def test_a_writer_looks_often_enough_to_get_between_two_commits(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    with closing(sqlite_driver.connect(path)) as connection, closing(sqlite_driver.connect(path)) as other:

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 200:
                other.execute("COMMIT")

        monkeypatch.setattr("reseller_kit.db.sqlite_driver.time.sleep", sleep)
        sqlite_driver.begin(other)
        sqlite_driver.begin(connection)
        assert connection.in_transaction
    assert len(pauses) == 200
    assert max(pauses) <= 0.002, "SQLite's own waiting sleeps for 100 ms, and a busy writer's pauses are shorter"


def test_who_waits_too_long_is_told_and_waits_as_before_afterwards(path: str) -> None:
    with closing(sqlite_driver.connect(path)) as connection, closing(sqlite_driver.connect(path)) as other:
        waits = connection.execute("PRAGMA busy_timeout").fetchone()
        sqlite_driver.begin(other)
        with pytest.raises(sqlite_driver.library.OperationalError, match="locked"):
            sqlite_driver.begin(connection, wait_ms=20)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == waits
        other.execute("COMMIT")
        sqlite_driver.begin(connection, wait_ms=20)
        assert connection.in_transaction


def test_another_fault_is_not_waited_for(path: str) -> None:
    with closing(sqlite_driver.connect(path)) as connection:
        sqlite_driver.begin(connection)
        with pytest.raises(sqlite_driver.library.OperationalError, match="within a transaction"):
            sqlite_driver.begin(connection)
