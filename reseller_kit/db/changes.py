"""Notices that the database changed, cheaply enough to ask ten times a second. Reads the revision only."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol

from . import application_role, sqlite_driver
from .engine import Database

_REVISION = "SELECT number FROM revision"


class ChangeProbe(Protocol):
    """Tells the newest revision number; as cheap as the backend allows."""

    async def revision(self) -> int:
        """The newest revision number."""

    async def close(self) -> None:
        """Disconnect."""


class SqliteProbe:
    """Asks `PRAGMA data_version` (2 µs) and reads the revision only when another connection has committed."""

    def __init__(self, path: str) -> None:
        self._connection: sqlite3.Connection = sqlite_driver.connect(path, query_only=True)
        self._data_version = -1
        self._revision = 0

    async def revision(self) -> int:
        """The newest revision number."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:
            self._revision = self._connection.execute(_REVISION).fetchone()[0]
            self._data_version = version
        return self._revision

    async def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class PostgresProbe:
    """Reads the revision over one connection of its own, made anew after it was lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Any = None

    async def revision(self) -> int:
        """The newest revision number."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await application_role.connect(self._dsn, command_timeout=5)
        return int(await self._connection.fetchval(_REVISION))

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()


def open_probe(db: Database) -> ChangeProbe:
    """The probe of the database's backend."""
    return SqliteProbe(db.path) if db.backend == "sqlite" else PostgresProbe(db.postgres_dsn)
