"""Rollups are the usage records' sums, each record once, whatever settles late, crashes or runs beside."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text, update

from reseller_kit.core.ledger import HoldRefused
from reseller_kit.core.times import DAY_US
from reseller_kit.db import leases, model_days, operator_rollups, operator_rollups_sqlite, sqlite_driver
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, Settled
from reseller_kit.db.ledger.batch import Batch
from reseller_kit.db.ledger.postgres import PostgresStore
from reseller_kit.db.rollups import SumFilter, Sums, quarters, sums
from reseller_kit.flows.audit import audit
from reseller_kit.flows.rollup import roll_up
from tests.support.databases import Databases
from tests.support.ledger import Shop, add_customer, altered, deposit, grant, hold, make_shop, open_ledger, settle
from tests.support.writer import assert_sound, fail_batches

pytestmark = pytest.mark.thorough


QUARTER_US = 900_000_000


def few_at_once(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let a step take in so many records."""
    for module in (operator_rollups, operator_rollups_sqlite):
        monkeypatch.setattr(module, "AT_ONCE", number)


async def fund(ledger: LedgerWriter, *shops: Shop) -> None:
    for shop in shops:
        await ledger.submit(grant(shop, 10**12))
        await ledger.submit(deposit(shop, 10**12))


async def call(ledger: LedgerWriter, shop: Shop, quantities: dict[str, int], **changed: object) -> None:
    """One call from hold to settle; `changed` fields of its usage record, such as created_at."""
    placed = hold(shop, 10_000, 10_000)
    assert not isinstance(await ledger.submit(placed), HoldRefused)
    assert await ledger.submit(altered(settle(shop, placed, quantities), **changed)) == Settled("captured")


async def stored(db: Database, *, of_customers: bool = True) -> dict[tuple[object, ...], tuple[int, ...]]:
    """What the rollups hold: the grain → calls, input, output, retail, wholesale, cost."""
    r = t.usage_rollup.c
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(
            select(t.usage_rollup).where(r.customer_id != "" if of_customers else r.customer_id == "")
        )
        return {
            (row.tenant_id, row.customer_id, row.quarter_at, row.model, row.key_id): (
                row.calls,
                row.input,
                row.output,
                row.retail_nano,
                row.wholesale_nano,
                row.cost_nano,
            )
            for row in rows
        }


async def expected(db: Database) -> dict[tuple[object, ...], tuple[int, ...]]:
    """The same, summed here from the records."""
    import json

    found: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0] * 6)
    async with db.read(EVERY_TENANT) as connection:
        for row in await connection.execute(select(t.usage_record)):
            quantities = json.loads(row.quantities)
            counted = [1, quantities.get("input", 0), quantities.get("output", 0)]
            figures = [*counted, row.retail_nano, row.wholesale_nano, row.cost_nano]
            key = (row.tenant_id, row.customer_id, row.created_at // QUARTER_US * QUARTER_US, row.model, row.key_id)
            found[key] = [one + other for one, other in zip(found[key], figures, strict=True)]
    return {key: tuple(figures) for key, figures in found.items()}


async def test_every_record_is_summed_once(db: Database) -> None:
    shop, foreign = await make_shop(db), await make_shop(db, "borealis")
    other = await add_customer(db, shop, "lee@aurora.example")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, other, foreign)
        now = now_us()
        for number, owner in enumerate((shop, other, foreign) * 3):
            await call(
                ledger, owner, {"input": number + 1, "output": number}, created_at=now - number * QUARTER_US // 2
            )
        await roll_up(db)
        first = await stored(db)
        await roll_up(db)
        assert await stored(db) == first == await expected(db)
        await call(ledger, shop, {"input": 5}, created_at=now)
        await call(ledger, shop, {"input": 7}, model="another", public_model="another")
        await roll_up(db)
        assert await stored(db) == await expected(db) != first
        await assert_sound(db)
    whole = await stored(db, of_customers=False)
    assert sum(figures[0] for figures in whole.values()) == 11
    assert {(key[1], key[4]) for key in whole} == {("", "")}


async def test_quarters_with_calls_are_told_newest_first_whether_they_are_summed_or_not(db: Database) -> None:
    shop = await make_shop(db)
    begins = now_us() // QUARTER_US * QUARTER_US
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        for back in (4, 2, 6):
            await call(ledger, shop, {"input": 1}, created_at=begins - back * QUARTER_US)
        await roll_up(db)
        for back in (1, 4, 5):
            await call(ledger, shop, {"input": 1}, created_at=begins - back * QUARTER_US)
    every = [(begins - back * QUARTER_US, calls) for back, calls in ((1, 1), (2, 1), (4, 2), (5, 1), (6, 1))]
    async with db.read(EVERY_TENANT) as connection:
        for before, limit in ((begins, 9), (begins, 3), (begins - 2 * QUARTER_US, 2)):
            found = await quarters(connection, shop.tenant_id, SumFilter(None, 0), before, limit)
            assert found == [one for one in every if one[0] < before][:limit]


async def test_a_models_day_counts_its_calls_and_which_of_them_failed(db: Database) -> None:
    shop = await make_shop(db)
    yesterday = now_us() // DAY_US * DAY_US - 1
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        for status in ("ok", "failed", "refused", "cut", "failed"):
            await call(ledger, shop, {"input": 1}, status=status, created_at=yesterday)
            await roll_up(db)
        await call(ledger, shop, {"input": 1}, created_at=yesterday + 1)
        await roll_up(db)
    d = t.model_day.c
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(d.tenant_id, d.day_at, d.calls, d.failures).order_by(d.day_at))
        days = [tuple(row) for row in rows]
    first = yesterday + 1 - DAY_US
    assert days == [(shop.tenant_id, first, 4, 2), (shop.tenant_id, first + DAY_US, 1, 0)]


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_settle_is_never_stamped_before_what_is_rolled_up(
    db: Database, monkeypatch: pytest.MonkeyPatch, *, remembered: bool
) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        placed = hold(shop, 10_000, 10_000)
        await ledger.submit(placed)
        # This process's clock is an hour ahead of the one that settles.
        monkeypatch.setattr("reseller_kit.flows.rollup.now_us", lambda: now_us() + 3_600_000_000)
        fence = await roll_up(db)
        if not remembered:  # its wallets are read first, and the fence with them
            ledger._store._memory.forget()  # type: ignore[attr-defined]
        await ledger.submit(settle(shop, placed, {"input": 9}))
        async with db.read(EVERY_TENANT) as connection:
            assert await connection.scalar(select(t.usage_record.c.settled_at)) == fence
        assert await stored(db) == {}
        monkeypatch.setattr("reseller_kit.flows.rollup.now_us", lambda: now_us() + 3_600_000_001)
        await roll_up(db)
        await roll_up(db)
        assert await stored(db) == await expected(db) != {}


async def test_a_commit_under_way_is_waited_for(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        placed = hold(shop, 10_000, 10_000)
        await ledger.submit(placed)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def late(run: Callable[[], object]) -> None:
            begun.set()
            await go_on.wait()
            await run()  # type: ignore[misc]

        fail_batches(ledger, late)  # stamped by its clock now, committed after the fence
        settling = ledger.submit(settle(shop, placed, {"input": 9}))
        await begun.wait()
        await roll_up(db)
        go_on.set()
        await settling
        await roll_up(db)
        await roll_up(db)
        assert await stored(db) == await expected(db) != {}
        await assert_sound(db)


@pytest.mark.postgres
async def test_a_transaction_under_way_is_waited_for(databases: Databases) -> None:
    async with databases.ready("postgres") as url, connected(url) as db:
        shop = await make_shop(db)
        async with open_ledger(db) as ledger:
            await fund(ledger, shop)
            placed = hold(shop, 10_000, 10_000)
            await ledger.submit(placed)
            store, begun, go_on = ledger._store, asyncio.Event(), asyncio.Event()
            assert isinstance(store, PostgresStore)
            store._memory.forget()  # so that it goes in steps
            write = store._write

            async def slow(connection: Any, batch: Batch, sinks: Any) -> None:
                begun.set()
                await go_on.wait()
                await write(connection, batch, sinks)

            store._write = slow  # type: ignore[method-assign]
            settling = ledger.submit(settle(shop, placed, {"input": 9}))
            await begun.wait()
            rolling = asyncio.create_task(roll_up(db))
            await asyncio.sleep(0.3)
            assert not rolling.done()
            go_on.set()
            await asyncio.gather(settling, rolling)
            assert await stored(db) == await expected(db) != {}
            await assert_sound(db)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    db = Database(url)
    try:
        yield db
    finally:
        await db.close()


async def test_a_lease_taken_later_stands_behind_the_fence(db: Database) -> None:
    fence = await roll_up(db)
    async with db.administer() as connection:
        await leases.take(connection, "own_late", 1, "test")
        found = await connection.scalar(select(t.lease.c.settled_from).where(t.lease.c.owner == "own_late"))
    assert found == fence


async def test_many_processes_roll_up_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    few_at_once(monkeypatch, 7)
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)

        async def calls() -> None:
            for number in range(25):
                await call(ledger, shop, {"input": number, "output": 1})

        async def rolls() -> None:
            for _ in range(6):
                await roll_up(db)

        await asyncio.gather(calls(), calls(), rolls(), rolls(), rolls())
        await roll_up(db)
        assert await stored(db) == await expected(db)
        await assert_sound(db)


async def test_a_step_that_dies_is_done_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        await call(ledger, shop, {"input": 3})
    with monkeypatch.context() as broken:
        broken.setattr(operator_rollups, "MOVE_MARK", text("UPDATE nothing SET at = :until"))
        operator_rollups_sqlite.statements.cache_clear()
        with pytest.raises(Exception, match="nothing"):
            await roll_up(db)
    operator_rollups_sqlite.statements.cache_clear()
    assert await stored(db) == {}
    await roll_up(db)
    assert await stored(db) == await expected(db) != {}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_records_that_another_process_took_in_meanwhile_count_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the mark is locked from the first look on."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        await call(ledger, shop, {"input": 3})
    real, others = sqlite_driver.transaction, iter([sqlite_driver.connect(db.path)])

    def late(connection: sqlite3.Connection) -> AbstractContextManager[None]:
        for other in others:
            operator_rollups_sqlite.roll(other, now_us())
            other.close()
        return real(connection)

    monkeypatch.setattr(operator_rollups_sqlite, "sqlite_driver", SimpleNamespace(transaction=late))
    await roll_up(db)
    assert next(others, None) is None
    assert await stored(db) == await expected(db) != {}


async def test_records_of_one_moment_do_not_stop_it(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    few_at_once(monkeypatch, 2)
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        for _ in range(9):
            await call(ledger, shop, {"input": 3})
    async with db.administer() as connection:
        await connection.execute(update(t.usage_record).values(settled_at=0))
    await roll_up(db)
    assert await stored(db) == await expected(db) != {}


@pytest.mark.parametrize("rolled", [False, True])
async def test_sums_have_what_is_rolled_up_and_what_is_not(db: Database, *, rolled: bool) -> None:
    shop, foreign = await make_shop(db), await make_shop(db, "borealis")
    other = await add_customer(db, shop, "lee@aurora.example")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, other, foreign)
        quarter = now_us() // QUARTER_US * QUARTER_US
        await call(ledger, shop, {"input": 100, "output": 10, "cached_input": 4}, created_at=quarter)
        await call(ledger, shop, {"input": 1}, created_at=quarter - 1)
        await call(ledger, foreign, {"input": 1_000}, created_at=quarter)
        if rolled:
            await roll_up(db)
        await call(ledger, shop, {"input": 20, "output": 5}, created_at=quarter, model="alias")
        await call(ledger, other, {"input": 3}, created_at=quarter)

    async def asked(customer_id: str | None, by: str, since: int = quarter) -> list[tuple[object, tuple[int, ...]]]:
        async with db.read(EVERY_TENANT) as connection:
            found = await sums(connection, shop.tenant_id, SumFilter(customer_id, since), by)  # type: ignore[arg-type]
        return [(name, (each.calls, each.input, each.cached_input, each.output)) for name, each in found]

    assert await asked(shop.customer_id, "quarter") == [(quarter, (2, 120, 4, 15))]
    assert await asked(shop.customer_id, "quarter", 0) == [
        (quarter - QUARTER_US, (1, 1, 0, 0)),
        (quarter, (2, 120, 4, 15)),
    ]
    assert await asked(shop.customer_id, "model") == [("alias", (1, 20, 0, 5)), ("gpt-test", (1, 100, 4, 10))]
    assert await asked(shop.customer_id, "key") == [(shop.key_id, (2, 120, 4, 15))]
    assert await asked(None, "quarter") == [(quarter, (3, 123, 4, 15))]
    assert await asked(None, "model") == [("alias", (1, 20, 0, 5)), ("gpt-test", (2, 103, 4, 10))]
    assert sorted(await asked(None, "key")) == sorted([(shop.key_id, (2, 120, 4, 15)), (other.key_id, (1, 3, 0, 0))])
    assert await asked(foreign.customer_id, "model") == []


@pytest.mark.parametrize(
    ("corruption", "codes"),
    [
        (
            "calls = calls + 1",
            {
                "rollup_differs_from_records",
                "rollup_differs_within",
                "rollup_differs_from_totals",
                "rollup_totals_differ",
            },
        ),
        ("cached_input = 1", {"rollup_differs_from_records", "rollup_differs_within"}),
        ("quarter_at = quarter_at + 900000000", {"rollup_differs_from_records", "rollup_differs_within"}),
    ],
)
async def test_the_audit_finds_rollups_that_are_not_their_records(
    db: Database, corruption: str, codes: set[str]
) -> None:
    shop, foreign = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, foreign)
        await call(ledger, shop, {"input": 3})
        await call(ledger, foreign, {"input": 3})
        await roll_up(db)
        await assert_sound(db)
        async with db.administer() as connection:
            await connection.exec_driver_sql(
                f"UPDATE usage_rollup SET {corruption} WHERE customer_id = '{shop.customer_id}'"
            )
        assert {found["code"] for found in (await audit(db)).findings} == codes
        assert {found["code"] for found in (await audit(db, tenant=shop.tenant_id)).findings} == codes
        assert (await audit(db, tenant=foreign.tenant_id)).ok


async def test_the_audit_finds_totals_that_are_not_those_of_the_rollups(db: Database) -> None:
    shop, foreign = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, foreign)
        await call(ledger, shop, {"input": 3})
        await roll_up(db)
        await call(ledger, shop, {"input": 3})
        await roll_up(db)
        await assert_sound(db)
        for corruption in (
            "UPDATE usage_total SET calls = calls + 1 WHERE grain = 'day'",
            "UPDATE usage_total SET calls = calls - 1, retail_nano = retail_nano + 1",
            "DELETE FROM usage_total WHERE grain = 'quarter'",
        ):
            async with db.administer() as connection:
                await connection.exec_driver_sql(corruption)
            assert {(found["code"], found["ref"]) for found in (await audit(db)).findings} == {
                ("rollup_totals_differ", shop.customer_id)
            }
        assert (await audit(db, tenant=foreign.tenant_id)).ok


async def test_the_audit_finds_a_record_that_was_left_out(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        await roll_up(db)
        await call(ledger, shop, {"input": 3})
        async with db.administer() as connection:
            await connection.execute(update(t.usage_record).values(settled_at=1))
        assert {found["code"] for found in (await audit(db)).findings} == {
            "rollup_differs_from_records",
            "rollup_differs_from_totals",
        }


async def test_a_quantity_that_is_no_number_counts_as_nothing(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        for broken in ("nonsense", '{"input": "7"}', '{"input": 1.5}', "[]", '{"input": 5}'):
            await call(ledger, shop, {"input": 3})
            async with db.administer() as connection:
                last = select(t.usage_record.c.id).order_by(t.usage_record.c.id.desc()).limit(1).scalar_subquery()
                await connection.execute(
                    update(t.usage_record).where(t.usage_record.c.id == last).values(quantities=broken)
                )
    await roll_up(db)
    async with db.read(EVERY_TENANT) as connection:
        found = await sums(connection, shop.tenant_id, SumFilter(None, 0), "key")
    assert [(each.calls, each.input) for _, each in found] == [(5, 5)]
    assert sum((each for _, each in found), Sums()).calls == 5


async def test_a_day_of_a_model_counts_what_failed_and_leaves_out_what_was_refused(db: Database) -> None:
    async with open_ledger(db) as ledger:
        shop = await make_shop(db)
        await fund(ledger, shop)
        for status, at in (("ok", 0), ("ok", 1), ("failed", 2), ("refused", 3), ("ok", DAY_US)):
            await call(ledger, shop, {"input": 1}, status=status, created_at=at)
            await roll_up(db)
        await roll_up(db)
    async with db.read(shop.tenant_id) as connection:
        days = await model_days.since(connection, shop.tenant_id, 0)
        later = await model_days.since(connection, shop.tenant_id, DAY_US)
    assert [(day.day_at, day.calls, day.failures) for day in days] == [(0, 3, 1), (DAY_US, 1, 0)]
    assert later == days[1:]
