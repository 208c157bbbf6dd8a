"""The one SQLite library of the process: the locked `pysqlite3` wheel, for SQLAlchemy and the ledger writer alike.

The standard library's copy may be older than 3.51.3 and then has the WAL-reset corruption bug with several
connections; where the wheel is missing and the copy is old, opening a database is refused.
"""

from __future__ import annotations

import operator
import sqlite3 as standard
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Self, TypeVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi

from ..core.errors import SchemaOutdated
from . import sqlite_lookaside

try:
    sqlite_lookaside.give("pysqlite3")
    from pysqlite3 import dbapi2 as library
except ImportError:
    library = standard

__all__ = [
    "BEGIN",
    "NO_WAITING",
    "OWN_WAITING",
    "begin",
    "connect",
    "copy_log",
    "library",
    "run",
    "sqlalchemy_module",
    "transaction",
]

BEGIN: Final = "BEGIN IMMEDIATE"

# Without an adapter of their own these two go through a slow protocol, at a microsecond a value. Both adapters give the
# value itself (a mapping without keys answers None for None) and are C: a lambda costs four times as much.
library.register_adapter(bool, operator.index)
library.register_adapter(type(None), dict[None, None]().get)

_Result = TypeVar("_Result")
_FIXED_IN: Final = (3, 51, 3)
_BUSY_TIMEOUT_MS: Final = 10_000
OWN_WAITING: Final = f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}"
NO_WAITING: Final = "PRAGMA busy_timeout = 0"
_LOOK_SECONDS: Final = 0.001
_LONGEST_LOG_PAGES: Final = 32_000
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
    # The ledger has the log copied before it is half as long. This is for a process without one, or where that fails.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG_PAGES}")
    connection.execute(OWN_WAITING)
    connection.execute("PRAGMA foreign_keys = ON" if foreign_keys else "PRAGMA foreign_keys = OFF")
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def begin(connection: standard.Connection, wait_ms: int = _BUSY_TIMEOUT_MS, *, afterwards: str = OWN_WAITING) -> None:
    """Begin a write transaction once no other connection has one. Blocks; raises OperationalError for too long.

    SQLite's own waiting sleeps for 100 ms between looks: a process that commits without a pause, as a busy one does,
    leaves less than one between two of its transactions, and keeps others out for seconds. `afterwards`: how the
    connection waits from then on.
    """
    connection.execute(NO_WAITING)
    until = time.monotonic() + wait_ms / 1000
    try:
        while not _begun(connection, until):
            time.sleep(_LOOK_SECONDS)
    finally:
        connection.execute(afterwards)


@contextmanager
def transaction(connection: standard.Connection) -> Iterator[None]:
    """A write transaction that commits when the block ends and rolls back when it raises. Blocks, as `begin` does."""
    begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it itself on some errors, such as a full disk
            connection.execute("ROLLBACK")
        raise


def copy_log(connection: standard.Connection) -> None:
    """Copy the write-ahead log into the database as far as it goes now, while others read and write. Blocks.

    What can't be copied stays in the log, and is copied later.
    """
    with suppress(library.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def _begun(connection: standard.Connection, until: float) -> bool:
    try:
        connection.execute(BEGIN)
    except library.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() >= until:
            raise
        return False
    return True


class _Cursor:
    """What SQLAlchemy asks of a cursor, with one trip to the connection's thread a statement instead of four.

    Rows are fetched where the statement runs: nothing here reads row by row.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._cursor: Any = connection._conn.cursor()  # noqa: SLF001  # no work of the database's
        self._rows: list[Any] = []
        self._running = False

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> _Cursor:
        """Run a statement and fetch what it finds."""
        self._rows = await self._trip(self._fetched, statement, parameters)
        return self

    async def executemany(self, statement: str, many: Any) -> _Cursor:
        """Run a statement for each set of parameters."""
        await self._trip(self._cursor.executemany, statement, many)
        return self

    async def fetchall(self) -> list[Any]:
        """The rows of the latest statement, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Close it; behind a statement that is still under way, whose caller was cancelled."""
        if self._running:
            await self._trip(self._cursor.close)
        else:
            self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        """`description`, `rowcount`, `lastrowid` and `arraysize`."""
        return getattr(self._cursor, name)

    def _fetched(self, statement: str, parameters: Any) -> list[Any]:
        if statement == BEGIN:
            begin(self._connection._conn)  # noqa: SLF001  # in its thread
            return []
        self._cursor.execute(statement, parameters)
        return [] if self._cursor.description is None else list(self._cursor.fetchall())

    async def _trip(self, work: Any, *arguments: Any) -> Any:
        """Do this in the connection's thread, as all methods of aiosqlite do."""
        self._running = True
        result = await self._connection._execute(work, *arguments)  # type: ignore[no-untyped-call]  # noqa: SLF001
        self._running = False
        return result


async def run(connection: Any, work: Callable[[standard.Connection], _Result]) -> _Result:
    """Do this in the thread of a connection that `sqlalchemy_module` opened."""
    done: _Result = await connection._execute(work, connection._conn)  # noqa: SLF001  # as its own methods do
    return done


class _Connection(aiosqlite.Connection):
    """A connection whose cursors make one trip a statement."""

    def cursor(self) -> Any:
        """Made here and now: there is nothing to wait for."""
        return _Cursor(self)


def sqlalchemy_module(*, query_only: bool) -> ModuleType:
    """Aiosqlite over this library, in the form that `create_async_engine(module=…)` takes."""

    def open_connection(path: str, **_options: Any) -> aiosqlite.Connection:
        opened = _Connection(lambda: connect(path, query_only=query_only), iter_chunk_size=64)
        opened._thread.daemon = True  # noqa: SLF001  # as SQLAlchemy's own dialect does, so that a process can end
        return opened

    names = {name: getattr(library, name) for name in (*_ERRORS, "sqlite_version", "sqlite_version_info")}
    facade = SimpleNamespace(**names, connect=open_connection, Connection=aiosqlite.Connection, __version__="0.22.1")
    return AsyncAdapt_aiosqlite_dbapi(facade, library)  # type: ignore[arg-type, return-value]
