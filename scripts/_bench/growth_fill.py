"""Fills a database with a long past: usage records with every ledger row behind them, as months of calls leave them.

Written in bulk around the ledger writer, for speed; `ledger audit` proves afterwards that the books are right.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

import asyncpg
from msgspec import Struct

from reseller_kit.core.ids import IdSource
from reseller_kit.core.ledger import NO_WINDOW
from reseller_kit.core.months import month_of, months
from reseller_kit.core.storefront import Storefront
from reseller_kit.db import partitions, sqlite_driver
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database, now_us
from scripts._bench.ledger import CUSTOMERS, Payer

DAYS: Final = 180
MODELS: Final = ("gpt-5-mini", "bench-fast", "bench-large", "bench-cheap")
CHUNK: Final = 10_000
_OUTPUT_LIMIT: Final = 4_096
_CALL: Final = json.dumps({"model": "gpt-5-mini", "public_model": "gpt-5-mini", "dialect": "openai", "stream": False})
_TABLES: Final = (t.hold, t.txn, t.entry, t.usage_record)

Rows = dict[str, list[tuple[Any, ...]]]


class Past(Struct, kw_only=True):
    """What the calls so far came to, by wallet."""

    retail: dict[str, int]
    wholesale: int = 0


class Accounts(Struct, frozen=True, kw_only=True):
    """Where calls are posted: accounts by kind, and each payer's balance before the first call."""

    by_kind: dict[str, int]
    balances: dict[str, int]


async def fill(db: Database, storefront: Storefront, payers: Sequence[Payer], records: int) -> None:
    """Append `records` calls, spread over the last 180 days up to an hour ago."""
    accounts = await _accounts(db, storefront, payers)
    past = Past(retail=dict.fromkeys((payer.id for payer in payers), 0))
    calls = _Maker(storefront, payers, accounts, past).calls(records)
    now = now_us()
    if db.backend == "sqlite":
        _fill_sqlite(db, calls)
        _settle_wallets_sqlite(db, storefront, payers, past)
        return
    async with db.administer() as connection:
        start = month_of(now - DAYS * 86_400_000_000)
        await connection.run_sync(partitions.ensure, months(start, month_of(now)))
    await _fill_postgres(db, storefront, payers, calls, past)


class _Maker:
    """Makes the rows of one call after the other."""

    def __init__(self, storefront: Storefront, payers: Sequence[Payer], accounts: Accounts, past: Past) -> None:
        self._storefront, self._payers, self._accounts, self._past = storefront, payers, accounts, past
        self._offered = storefront.models["gpt-5-mini"]
        self._source = IdSource()

    def calls(self, records: int) -> Iterator[Rows]:
        """Rows in order of time, some thousand calls at a time."""
        end = now_us() - 3_600_000_000
        step = DAYS * 86_400_000_000 // records
        numbers = iter(range(records))
        while chunk := list(islice(numbers, CHUNK)):
            rows: Rows = {table.name: [] for table in _TABLES}
            for number in chunk:
                self._add(rows, number, end - (records - number) * step)
            yield rows

    def _add(self, rows: Rows, number: int, at: int) -> None:
        ulid = self._source.next(at * 1000)
        request_id, txn_id = f"req_{ulid}", f"txn_{ulid}"
        settled = at + 1_500_000 + number % 1000 * 1000
        # A few customers call much more often than the rest.
        payer = self._payers[(number * number) % CUSTOMERS]
        offered, route, shop = self._offered, self._offered.routes[0], self._storefront
        read, written = 100 + number * 7 % 900, 10 + number * 13 % 490
        lists = (level.price_list.prices for level in (offered.retail, offered.wholesale, route.cost))
        retail, wholesale, cost = (-(-(read * p["input"] + written * p["output"]) // 1000) for p in lists)
        self._past.retail[payer.id] += retail
        self._past.wholesale += wholesale
        versions = (offered.retail.id, offered.wholesale.id)
        who = (payer.id, payer.wallet_id, shop.reseller_wallet_id, payer.key_id)
        held = (_OUTPUT_LIMIT, retail * 3, wholesale * 3, "[]", "own_past", 1, _CALL, None, at, settled)
        rows["hold"].append(
            (request_id, shop.tenant_id, "call", "captured", *who, NO_WINDOW, "gpt-5-mini", *versions, *held)
        )
        balance = self._accounts.balances[payer.id] - self._past.retail[payer.id]
        rows["txn"].append((txn_id, shop.tenant_id, payer.wallet_id, "call", request_id, balance, None, settled))
        rows["entry"] += self._entries(txn_id, payer, retail, wholesale, cost)
        served = (MODELS[number % len(MODELS)], "gpt-5-mini", route.upstream, route.upstream_model, "openai", False)
        used = (f'{{"input":{read},"output":{written}}}', 0, "upstream", False, retail, wholesale, cost)
        took = (1, 1500, 400, None, None, at, settled)
        rows["usage_record"].append(
            (
                request_id,
                shop.tenant_id,
                payer.id,
                payer.key_id,
                *served,
                "ok",
                200,
                *used,
                *versions,
                route.cost.id,
                *took,
            )
        )

    def _entries(self, txn_id: str, payer: Payer, retail: int, wholesale: int, cost: int) -> Iterator[tuple[Any, ...]]:
        kinds, shop = self._accounts.by_kind, self._storefront
        posted = (
            (payer.wallet_id, -retail),
            (kinds["reseller_revenue"], retail),
            (shop.reseller_wallet_id, -wholesale),
            (kinds["wholesale_revenue"], wholesale),
            (kinds["upstream_cost"], -cost),
            (kinds["upstream_payable"], cost),
        )
        for line, (account, amount) in enumerate(posted):
            yield txn_id, line, shop.tenant_id, account, amount


async def _accounts(db: Database, storefront: Storefront, payers: Sequence[Payer]) -> Accounts:
    async with db.read(storefront.tenant_id) as connection:
        a = t.account.c
        rows = (await connection.execute(t.account.select().where(a.tenant_id == storefront.tenant_id))).all()
    ids = {payer.id for payer in payers}
    return Accounts(
        by_kind={row.kind: row.id for row in rows if row.owner == ""},
        balances={row.owner: row.balance_nano for row in rows if row.owner in ids},
    )


_UPDATES: Final = (
    "UPDATE account SET balance_nano = balance_nano - {0} WHERE id = {1} AND tenant_id = {2}",
    (
        "UPDATE lot SET remaining_nano = remaining_nano - {0}, consumed_nano = consumed_nano + {0}"
        " WHERE wallet_id = {1} AND tenant_id = {2}"
    ),
)


def _wallet_updates(storefront: Storefront, payers: Sequence[Payer], past: Past) -> list[str]:
    """What the calls took from each wallet and its one lot."""
    tenant = storefront.tenant_id
    taken = [update.format(past.retail[payer.id], payer.wallet_id, tenant) for payer in payers for update in _UPDATES]
    return [*taken, _UPDATES[0].format(past.wholesale, storefront.reseller_wallet_id, tenant)]


def _fill_sqlite(db: Database, calls: Iterator[Rows]) -> None:
    with closing(_open(db)) as connection:
        for rows in calls:
            connection.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                places = ", ".join("?" * len(table.columns))
                connection.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows[table.name])  # noqa: S608  # names of ours
            connection.execute("COMMIT")


def _settle_wallets_sqlite(db: Database, storefront: Storefront, payers: Sequence[Payer], past: Past) -> None:
    with closing(_open(db)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _wallet_updates(storefront, payers, past):
            connection.execute(statement)
        connection.execute("COMMIT")


def _open(db: Database) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite_driver.connect(db.path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    return connection


async def _fill_postgres(
    db: Database, storefront: Storefront, payers: Sequence[Payer], calls: Iterator[Rows], past: Past
) -> None:
    connection = await asyncpg.connect(db.postgres_dsn)
    try:
        for rows in calls:
            for table in _TABLES:
                await connection.copy_records_to_table(
                    table.name, records=rows[table.name], columns=list(table.columns.keys())
                )
        async with connection.transaction():
            for statement in _wallet_updates(storefront, payers, past):
                await connection.execute(statement)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
