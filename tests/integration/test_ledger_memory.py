"""What a ledger writer remembers between its batches is never older than what the database says."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy import make_url, update

from reseller_kit.core.errors import Overloaded
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import sqlite_driver
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, Settled
from reseller_kit.db.ledger.postgres_arrays import Flat
from reseller_kit.db.ledger.rows import Row
from reseller_kit.db.ledger.state import Loaded, State
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle, take, wallet
from tests.support.writer import assert_sound

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
on_postgres = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


def remembered(ledger: LedgerWriter) -> set[str]:
    """The open holds that the writer would not read again."""
    return set(ledger._store._memory._holds)  # type: ignore[attr-defined]


async def test_a_wallet_that_another_process_wrote_is_read_again(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as one, open_ledger(db) as other:
        await one.submit(grant(shop, 1_000))
        for amount in (300, 100):
            assert isinstance(await one.submit(hold(shop, amount)), Hold)
        assert isinstance(await other.submit(hold(shop, 400)), Hold)
        refused = await one.submit(hold(shop, 201))
        assert isinstance(refused, HoldRefused)
        assert refused.available == 200
        await other.submit(grant(shop, 50))
        assert isinstance(await one.submit(hold(shop, 250)), Hold)
        assert isinstance(await other.submit(hold(shop, 1)), HoldRefused)
        assert await wallet(db, shop.wallet_id) == (1_050, 1_050, 0)
        await assert_sound(db)


class _FullDisk:
    """A connection of which no transaction is committed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            raise sqlite_driver.library.OperationalError("database or disk is full")
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@on_sqlite
async def test_what_was_not_committed_is_not_remembered(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        store: Any = ledger._store
        await ledger.submit(grant(shop, 1_000))
        assert isinstance(await ledger.submit(hold(shop, 300)), Hold)
        with monkeypatch.context() as patch:
            patch.setattr(store, "_connection", _FullDisk(store._connection))
            with pytest.raises(Overloaded):
                await ledger.submit(hold(shop, 400))
        assert isinstance(await ledger.submit(hold(shop, 700)), Hold)
        assert await wallet(db, shop.wallet_id) == (1_000, 1_000, 0)
        await assert_sound(db)


async def test_lots_that_were_changed_elsewhere_are_read_again(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 100, expires_at=now_us() + 3_600_000_000))
        await ledger.submit(hold(shop, 1))
        assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lot).values(expires_at=now_us() - 1))
        assert isinstance(await ledger.submit(hold(shop, 1)), HoldRefused)


async def test_credit_that_was_taken_by_hand_is_not_spent_from_memory(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 100))
        await ledger.submit(hold(shop, 10))
        await ledger.submit(take(shop, 60))
        assert isinstance(await ledger.submit(hold(shop, 31)), HoldRefused)
        assert isinstance(await ledger.submit(hold(shop, 30)), Hold)
        await assert_sound(db)


async def test_a_remembered_hold_that_another_process_resolved_is_not_resolved_again(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as owner, open_ledger(db) as survivor:
        await asyncio.gather(owner.submit(grant(shop, 1_000)), owner.submit(deposit(shop, 1_000)))
        await owner.submit(call)
        assert remembered(owner) == {call.request.request_id}
        end = settle(shop, call, {"input": 10})
        theirs = structs.replace(end, owner=owner.owner, epoch=owner.epoch)
        assert await survivor.submit(theirs) == Settled("captured")
        assert await owner.submit(end) == Settled("captured", repeated=True)
        assert remembered(owner) == set()
        assert await wallet(db, shop.wallet_id) == (970, 0, 0)
        await assert_sound(db)


async def test_calls_are_decided_without_reading_what_is_remembered(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        calls = [hold(shop, 10) for _ in range(3)]
        await ledger.submit(calls[0])
        read: list[Row] = []
        real_load = State.load

        def load(state: State, rows: Loaded) -> None:
            read.extend((*rows.accounts, *rows.lots, *rows.holds))
            real_load(state, rows)

        monkeypatch.setattr(State, "load", load)
        for call in calls[1:]:
            await ledger.submit(call)
            await ledger.submit(settle(shop, call, {"input": 1}))
        assert read == []
        assert remembered(ledger) == {calls[0].request.request_id}
        await assert_sound(db)


@on_postgres
async def test_arrays_reach_postgresql_as_they_are(db: Database) -> None:
    url = make_url(db.postgres_dsn).render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    try:
        for type_, values in (("text", ["a", "", None]), ("bigint", [1, -(2**63)]), ("boolean", []), ("text", ())):
            given = Flat(values)
            for _ in range(2):  # asyncpg encodes a parameter again when a statement has to be prepared anew
                assert await connection.fetchval(f"SELECT $1::{type_}[]", given) == list(values)
    finally:
        await connection.close()
