"""Makes a long past: usage records with every ledger row, balance and rollup, as months of calls leave them.

Each step, a day, is one transaction of a few statements that make all of its rows in the database, and leaves exact
books: a run that was ended goes on where it stopped. `ledger audit` proves afterwards that the books are right.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol

import asyncpg
from msgspec import Struct
from sqlalchemy import select

from reseller_kit.core.months import month_of, months
from reseller_kit.core.storefront import Storefront
from reseller_kit.db import partitions, sqlite_driver
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from scripts._bench import past_rows
from scripts._bench.ledger import Payer

DAYS: Final = 180
DAY_US: Final = 86_400_000_000
_MODEL: Final = "gpt-5-mini"
_WHILE_FILLING: Final = ("autovacuum = off", "max_wal_size = '8GB'", "checkpoint_timeout = '30min'")
"""Of the whole server. It is tidied once, at the end."""
_SINKS: Final = ("reseller_revenue", "wholesale_revenue", "upstream_cost", "upstream_payable")


class Timeline(Struct, frozen=True, kw_only=True):
    """When calls were made: the first at `start_us`, each `step_us` after the one before; `made` of `total` exist."""

    start_us: int
    step_us: int
    total: int
    made: int

    def days(self) -> Iterator[tuple[int, int]]:
        """The days (UTC) that are not made yet: the first call of each, and the first behind it."""
        first = self.made
        while first < self.total:
            midnight = ((self.start_us + first * self.step_us) // DAY_US + 1) * DAY_US
            end = min(-((self.start_us - midnight) // self.step_us), self.total)
            yield first, end
            first = end


class Shop(Struct, frozen=True):
    """A storefront and its customers."""

    storefront: Storefront
    payers: Sequence[Payer]


async def make(db: Database, shops: Sequence[Shop], total: int, say: Callable[[str], None]) -> Timeline:
    """Complete a past of `total` calls, spread over 180 days up to an hour before it was begun.

    Raises ValueError when the database has a past of another length.
    """
    async with _bulk(db) as bulk:
        line = await bulk.timeline(total)
        if db.backend == "postgresql":
            async with db.administer() as connection:
                last = month_of(line.start_us + line.total * line.step_us)
                await connection.run_sync(partitions.ensure, months(month_of(line.start_us), last))
        if line.made < total:
            await bulk.payers(await _payer_rows(db, shops))
        for first, end in line.days():
            await bulk.append(first, end)
            if end * 20 // total != first * 20 // total:
                say(f"{db.backend}: {end:,} of {total:,} calls")
        if line.made < total:
            await bulk.finish()
        return await bulk.timeline(total)


async def timeline(db: Database) -> Timeline:
    """The timeline of the past that is there."""
    async with _bulk(db) as bulk:
        return await bulk.timeline(None)


class _Bulk(Protocol):
    """A connection that writes much at once."""

    async def payers(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Name the customers, and be ready for much."""

    async def append(self, first: int, end: int) -> None:
        """Make the calls from `first` until before `end`."""

    async def timeline(self, total: int | None) -> Timeline:
        """The timeline, begun for `total` calls if there is none."""

    async def finish(self) -> None:
        """Leave the database as one that has been at rest."""


class _Sqlite:
    """A bulk connection to SQLite: fast, safe against the end of the process, not against that of the machine."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def payers(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._connection.execute(past_rows.PAYER_TABLE)
        places = ", ".join("?" * len(rows[0]))
        self._connection.executemany(f"INSERT INTO bench_payer VALUES ({places})", rows)  # noqa: S608  # names of ours
        for statement in past_rows.LINE_TABLE:
            self._connection.execute(statement)

    async def append(self, first: int, end: int) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in past_rows.statements("sqlite", first, end):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")

    async def timeline(self, total: int | None) -> Timeline:
        self._connection.execute(past_rows.TIMELINE_TABLE)
        found = self._connection.execute("SELECT start_us, step_us, total, made FROM bench_past").fetchone()
        if found is None:
            found = _new_timeline(total)
            self._connection.execute("INSERT INTO bench_past VALUES (?, ?, ?, ?)", found)
        return _agreed(found, total)

    async def finish(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _Postgres:
    """A bulk connection to PostgreSQL, as the owner of the tables."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def payers(self, rows: Sequence[tuple[Any, ...]]) -> None:
        await self._connection.execute(past_rows.PAYER_TABLE)
        await self._connection.copy_records_to_table("bench_payer", records=rows)
        for statement in past_rows.LINE_TABLE:
            await self._connection.execute(statement)
        await self._connection.execute("ANALYZE bench_payer")
        for setting in _WHILE_FILLING:
            await self._connection.execute(f"ALTER SYSTEM SET {setting}")
        await self._connection.execute("SELECT pg_reload_conf()")

    async def append(self, first: int, end: int) -> None:
        async with self._connection.transaction():
            for statement in past_rows.statements("postgresql", first, end):
                await self._connection.execute(statement)

    async def timeline(self, total: int | None) -> Timeline:
        await self._connection.execute(past_rows.TIMELINE_TABLE)
        found = await self._connection.fetchrow("SELECT start_us, step_us, total, made FROM bench_past")
        if found is None:
            found = _new_timeline(total)
            await self._connection.execute("INSERT INTO bench_past VALUES ($1, $2, $3, $4)", *found)
        return _agreed(tuple(found), total)

    async def finish(self) -> None:
        await self._connection.execute("ALTER SYSTEM RESET ALL")
        await self._connection.execute("SELECT pg_reload_conf()")
        await self._connection.execute("VACUUM (ANALYZE)")
        await self._connection.execute("CHECKPOINT")


@asynccontextmanager
async def _bulk(db: Database) -> AsyncIterator[_Bulk]:
    if db.backend == "sqlite":
        with _opened(db) as connection:
            yield _Sqlite(connection)
        return
    session = await asyncpg.connect(db.postgres_dsn)
    try:
        await session.execute("SET synchronous_commit = off")
        await session.execute("SET work_mem = '64MB'")
        yield _Postgres(session)
    finally:
        await session.close()


@contextmanager
def _opened(db: Database) -> Iterator[sqlite3.Connection]:
    connection = sqlite_driver.connect(db.path)
    try:
        for pragma in (
            "synchronous = OFF",
            "cache_size = -400000",
            "temp_store = MEMORY",
            "wal_autocheckpoint = 20000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        yield connection
    finally:
        connection.close()


def _new_timeline(total: int | None) -> tuple[int, int, int, int]:
    if total is None:
        raise ValueError("the database has no past")
    span = DAYS * DAY_US
    return now_us() - 3_600_000_000 - span, span // total, total, 0


def _agreed(found: Sequence[int], total: int | None) -> Timeline:
    start, step, there, made = found
    if total is not None and there != total:
        raise ValueError(f"the database has a past of {there:,} calls, not {total:,}")
    return Timeline(start_us=start, step_us=step, total=there, made=made)


async def _payer_rows(db: Database, shops: Sequence[Shop]) -> list[tuple[Any, ...]]:
    """A row of `bench_payer` for each customer, numbered through all storefronts."""
    a, lot = t.account.c, t.lot.c
    async with db.read(EVERY_TENANT) as connection:
        sinks = {
            (row.tenant_id, row.kind): row.id
            for row in await connection.execute(select(a.tenant_id, a.kind, a.id).where(a.kind.in_(_SINKS)))
        }
        lots = {row.wallet_id: row.id for row in await connection.execute(select(lot.wallet_id, lot.id))}
    rows: list[tuple[Any, ...]] = []
    for shop in shops:
        front, offered = shop.storefront, shop.storefront.models[_MODEL]
        route = offered.routes[0]
        versions = (offered.retail, offered.wholesale, route.cost)
        prices = [version.price_list.prices[name] for version in versions for name in ("input", "output")]
        call = json.dumps({"model": _MODEL, "public_model": _MODEL, "dialect": "openai", "stream": False})
        for payer in shop.payers:
            rows.append(
                (
                    len(rows),
                    front.tenant_id,
                    payer.id,
                    payer.key_id,
                    payer.wallet_id,
                    front.reseller_wallet_id,
                    *(sinks[front.tenant_id, kind] for kind in _SINKS),
                    lots[payer.wallet_id],
                    *prices,
                    *(version.id for version in versions),
                    route.upstream,
                    route.upstream_model,
                    call,
                )
            )
    return rows
