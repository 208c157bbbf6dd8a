"""Connections to the database. Opens transactions; holds no query and no schema.

`read(scope)` is a read-only snapshot, `write(scope)` one explicit transaction that commits on return and rolls back
on any exception; both name whose rows they may see. On SQLite a write begins with BEGIN IMMEDIATE, so it never fails
half-way for want of the lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal, TypeAlias, TypeVar

from msgspec import Struct
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from ..core.errors import InvalidRequest
from . import application_role, database_url, postgres_pool, sqlite_driver
from . import scope as scopes
from .scope import EVERY_TENANT, NO_TENANT, TenantScope

__all__ = ["EVERY_TENANT", "NO_TENANT", "Backend", "Connection", "Database", "TenantScope", "now_us"]

_CONNECT_SECONDS: Final = 5
_FINISH_SECONDS: Final = 5
_LOOK_SECONDS: Final = 0.01

_Result = TypeVar("_Result")
Backend = Literal["sqlite", "postgresql"]
Connection: TypeAlias = AsyncConnection
"""What query functions take; other packages name it without knowing the library."""


class PoolUse(Struct, frozen=True):
    """Connections of the pools: busy, idle, and as many as there may be."""

    busy: int
    idle: int
    most: int


class Database:
    """One database: on SQLite many readers and a writer, on PostgreSQL one pool beside the owner's and the lease's."""

    def __init__(self, url: str) -> None:
        self.url: URL = database_url.parse(url)
        self.backend: Backend = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        if self.backend == "sqlite":
            self._writer = _sqlite_engine(self.url, writer=True)
            self._reader = _sqlite_engine(self.url, writer=False)
            self._owner = self._lease = self._writer
        else:
            self._writer = _postgres_engine(self.url, size=8, more=8)
            self._lease = _postgres_engine(self.url, size=1, more=0)
            self._owner = create_async_engine(self.url, poolclass=NullPool)
            # All statements of one read see one moment, as they do on SQLite.
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def path(self) -> str:
        """The database file (SQLite only)."""
        if self.url.database is None:
            raise InvalidRequest("The database URL names no file.")
        return self.url.database

    @property
    def postgres_dsn(self) -> str:
        """The URL as asyncpg itself takes it (PostgreSQL only)."""
        return database_url.asyncpg_dsn(self.url)

    @asynccontextmanager
    async def read(self, scope: TenantScope) -> AsyncIterator[AsyncConnection]:
        """A read-only transaction that may see the rows of `scope`."""
        async with self._reader.connect() as connection:
            await scopes.enter(connection, scope)
            yield connection

    @asynccontextmanager
    async def write(self, scope: TenantScope) -> AsyncIterator[AsyncConnection]:
        """A transaction on the rows of `scope` that commits when the block ends and rolls back when it raises."""
        async with self._writer.begin() as connection:
            await scopes.enter(connection, scope)
            yield connection

    async def in_one_trip(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do all of this where SQLite's writing connection lives, outside of the event loop (SQLite only).

        It begins and ends its transactions itself.
        """
        async with self._writer.connect() as connection:
            raw = await connection.get_raw_connection()
            return await sqlite_driver.run(raw.driver_connection, work)

    @asynccontextmanager
    async def keep_lease(self) -> AsyncIterator[AsyncConnection]:
        """A `write` for the process's lease alone: on PostgreSQL it waits for no connection that others hold."""
        async with self._lease.begin() as connection:
            await scopes.enter(connection, NO_TENANT)
            yield connection

    @asynccontextmanager
    async def administer(self) -> AsyncIterator[AsyncConnection]:
        """A transaction to which no policy and no privilege applies: for the schema alone.

        On PostgreSQL it is the login role's own, which every other connection gives up for the application role.
        """
        async with self._owner.begin() as connection:
            yield connection

    def pools(self) -> PoolUse:
        """How the connections of the pools are used; that of the lease is left out."""
        engines = {id(engine.sync_engine.pool): engine.sync_engine.pool for engine in (self._writer, self._reader)}
        found = [pool for pool in engines.values() if isinstance(pool, QueuePool)]
        return PoolUse(
            busy=sum(pool.checkedout() for pool in found),
            idle=sum(pool.checkedin() for pool in found),
            most=sum(pool.size() + pool._max_overflow for pool in found),  # noqa: SLF001  # it says so nowhere else
        )

    async def close(self) -> None:
        """Close every connection; those that are at work have a moment to finish.

        One that came back behind this would belong to no pool, and nobody would close it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_SECONDS):
                while self.pools().busy:  # noqa: ASYNC110  # pools tell nobody when a connection comes back
                    await asyncio.sleep(_LOOK_SECONDS)
        await self._writer.dispose()
        await self._reader.dispose()
        await self._owner.dispose()
        await self._lease.dispose()


def now_us() -> int:
    """Microseconds since 1970 UTC: the unit of every `*_at` column."""
    return time.time_ns() // 1000


def _postgres_engine(url: URL, *, size: int, more: int) -> AsyncEngine:
    connect = {"timeout": _CONNECT_SECONDS}
    engine = create_async_engine(url, pool_size=size, max_overflow=more, connect_args=connect)
    application_role.take_on_connect(engine)
    postgres_pool.look_before_use(engine)
    return engine


def _sqlite_engine(url: URL, *, writer: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        module=sqlite_driver.sqlalchemy_module(query_only=not writer),
        pool_size=1 if writer else 5,
        max_overflow=0 if writer else 10,
    )
    begin = sqlite_driver.BEGIN if writer else "BEGIN"

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql(begin)  # type: ignore[attr-defined]

    return engine
