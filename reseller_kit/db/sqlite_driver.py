"""The one SQLite library of the process: the locked `pysqlite3` wheel, for SQLAlchemy and the ledger writer alike.

The standard library's copy may be older than 3.51.3 and then has the WAL-reset corruption bug with several
connections; where the wheel is missing and the copy is old, opening a database is refused.
"""

from __future__ import annotations

import sqlite3 as standard
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi

from ..core.errors import SchemaOutdated

try:
    from pysqlite3 import dbapi2 as library
except ImportError:
    library = standard

__all__ = ["connect", "library", "sqlalchemy_module"]

# Without an adapter of their own these two go through a slow protocol, at a microsecond a value.
library.register_adapter(bool, int)
library.register_adapter(type(None), lambda value: value)

_FIXED_IN: Final = (3, 51, 3)
_BUSY_TIMEOUT_MS: Final = 10_000
_ERRORS: Final = (
    "DatabaseError",
    "Error",
    "IntegrityError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
)


def connect(path: str, *, foreign_keys: bool = True, query_only: bool = False) -> standard.Connection:
    """A connection in autocommit mode with the pragmas of every connection to the embedded database."""
    if library.sqlite_version_info < _FIXED_IN:
        raise SchemaOutdated(
            f"SQLite {library.sqlite_version} has a known corruption bug with several connections.",
            fix="Install the pysqlite3 wheel of the lock file, or use PostgreSQL.",
        )
    connection: standard.Connection = library.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def sqlalchemy_module(*, query_only: bool) -> ModuleType:
    """Aiosqlite over this library, in the form that `create_async_engine(module=…)` takes."""

    def open_connection(path: str, **_options: Any) -> aiosqlite.Connection:
        opened = aiosqlite.Connection(lambda: connect(path, query_only=query_only), iter_chunk_size=64)
        opened._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy's own dialect does, so that a process can end
        return opened

    names = {name: getattr(library, name) for name in (*_ERRORS, "sqlite_version", "sqlite_version_info")}
    facade = SimpleNamespace(**names, connect=open_connection, Connection=aiosqlite.Connection, __version__="0.22.1")
    return AsyncAdapt_aiosqlite_dbapi(facade, library)  # type: ignore[arg-type, return-value]
