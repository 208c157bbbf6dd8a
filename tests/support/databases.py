"""Fresh databases for tests: an empty one, or a copy of one that was migrated once. Holds no test data."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from reseller_kit.db import schema
from reseller_kit.db.engine import Database
from scripts._lib import postgres

_TEMPLATE = "template_migrated"
_NUMBERS = itertools.count(1)


@dataclass
class Databases:
    """Makes databases for one run. `start_server` is called when the first PostgreSQL database is asked for."""

    folder: Path
    start_server: Callable[[], postgres.Server]
    migrated: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def empty(self, backend: str) -> AsyncIterator[str]:
        """The URL of a database without tables; it is gone afterwards."""
        if backend == "sqlite":
            path = self._new_file()
            yield _sqlite_url(path)
            _remove(path)
            return
        async with self._postgres(f"test_{next(_NUMBERS)}") as url:
            yield url

    @asynccontextmanager
    async def ready(self, backend: str) -> AsyncIterator[str]:
        """The URL of a database with this version's schema and no rows; it is gone afterwards."""
        if backend == "sqlite":
            path = self._new_file()
            shutil.copyfile(await self._sqlite_template(), path)
            yield _sqlite_url(path)
            _remove(path)
            return
        await self._postgres_template()
        async with self._postgres(f"test_{next(_NUMBERS)}", template=_TEMPLATE) as url:
            yield url

    async def _sqlite_template(self) -> Path:
        path = self.folder / f"{_TEMPLATE}.db"
        if "sqlite" not in self.migrated:
            await _migrate(_sqlite_url(path))
            self.migrated.add("sqlite")
        return path

    async def _postgres_template(self) -> None:
        if "postgres" not in self.migrated:
            server = self.start_server()
            await _administer(server, f'CREATE DATABASE "{_TEMPLATE}"')
            await _migrate(server.url(_TEMPLATE))
            self.migrated.add("postgres")

    @asynccontextmanager
    async def _postgres(self, name: str, *, template: str = "template1") -> AsyncIterator[str]:
        server = self.start_server()
        # Copying files is cheaper than logging each page of them, where nothing is synced.
        await _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield server.url(name)
        finally:
            await _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')

    def _new_file(self) -> Path:
        folder = self.folder / f"test_{next(_NUMBERS)}"
        folder.mkdir()
        return folder / "reseller_kit.db"


@contextmanager
def url_for_processes(backend: str, databases: Databases) -> Iterator[str | None]:
    """The URL of an empty database for real processes; None is the installation's own SQLite file."""
    if backend == "sqlite":
        yield None
        return
    with asyncio.Runner() as runner:
        context = databases.empty(backend)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def _remove(path: Path) -> None:
    shutil.rmtree(path.parent)


async def _migrate(url: str) -> None:
    db = Database(url)
    await schema.upgrade(db)
    await db.close()


async def _administer(server: postgres.Server, statement: str) -> None:
    connection = await asyncpg.connect(server.url(driver="postgresql"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
