"""Months of usage records and entries on PostgreSQL: made ahead, never missed by a call, moved with their rows."""

from __future__ import annotations

import asyncio

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select, text

from reseller_kit.core.ids import IdSource
from reseller_kit.core.months import Month, month_of
from reseller_kit.db import partitions, schema
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.audit import audit
from reseller_kit.flows.doctor import examine_database
from tests.support.databases import Databases
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle

pytestmark = pytest.mark.postgres


@pytest.fixture
def backend() -> str:
    return "postgres"


async def rows_by_partition(db: Database, table: str) -> dict[str, int]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(text(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1"))
        return {row[0]: row[1] for row in rows}


async def parts(db: Database, table: str) -> set[str]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)"),
            {"parent": table},
        )
        return set(rows)


async def one_call(db: Database, request_id: str) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000))
        await ledger.submit(deposit(shop, 10_000))
        placed = hold(shop, 900, 600, request_id=request_id)
        await ledger.submit(placed)
        await ledger.submit(settle(shop, placed, {"input": 100, "output": 5}))


def id_in(month: Month) -> str:
    return "req_" + IdSource().next(month.start_us * 1000 + 10**15)


async def test_the_present_month_and_three_more_are_there(db: Database) -> None:
    months = [month_of(now_us()).later(number) for number in range(4)]
    for table in ("usage_record", "entry"):
        names = {f"{table}_{month.year}_{month.number:02}" for month in months}
        assert await parts(db, table) == names | {f"{table}_default"}
    assert await partitions.missing(db) == []
    assert await partitions.make_ahead(db) == []


async def test_a_call_lands_in_its_month(db: Database) -> None:
    month = month_of(now_us())
    await one_call(db, id_in(month.later()))
    assert await rows_by_partition(db, "usage_record") == {partitions.partition_name("usage_record", month.later()): 1}
    assert await rows_by_partition(db, "entry") == {
        partitions.partition_name("entry", month): 4,
        partitions.partition_name("entry", month.later()): 6,
    }
    assert (await audit(db)).ok


async def test_a_missing_month_fails_no_call_and_is_made_good(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    far = month_of(now_us()).later(8)
    await one_call(db, id_in(far))
    assert await rows_by_partition(db, "usage_record") == {"usage_record_default": 1}
    assert [found.code for found in await examine_database(db)] == ["DR302"]
    monkeypatch.setattr(partitions, "now_us", lambda: far.start_us)
    assert {found.code for found in await examine_database(db)} == {"DR301", "DR302"}
    made = await asyncio.gather(*(partitions.make_ahead(db) for _ in range(4)))
    assert sorted(name for names in made for name in names) == sorted(
        partitions.partition_name(table, far.later(number))
        for table in ("usage_record", "entry")
        for number in range(4)
    )
    assert await rows_by_partition(db, "usage_record") == {partitions.partition_name("usage_record", far): 1}
    assert partitions.partition_name("entry", far) in await rows_by_partition(db, "entry")
    assert await examine_database(db) == []
    assert (await audit(db)).ok


async def test_a_query_reads_only_its_months(db: Database) -> None:
    month = month_of(now_us())
    async with db.read(EVERY_TENANT) as connection:
        plan = await connection.scalars(
            text(f"EXPLAIN SELECT * FROM usage_record WHERE id = '{id_in(month)}' AND tenant_id = 1")
        )
        lines = "\n".join(plan)
    assert partitions.partition_name("usage_record", month) in lines
    assert partitions.partition_name("usage_record", month.later()) not in lines


async def test_a_database_of_the_first_schema_is_converted_with_its_rows(databases: Databases) -> None:
    async with databases.empty("postgres") as url:
        db = Database(url)
        try:
            await migrate_to(db, "0001")
            await fill_first_schema(db)
            await schema.upgrade(db)
            names = await parts(db, "usage_record")
            assert {"usage_record_2026_06", "usage_record_2026_07", "usage_record_default"} <= names
            assert await rows_by_partition(db, "usage_record") == {
                "usage_record_2026_06": 1,
                "usage_record_2026_07": 1,
                "usage_record_default": 1,
            }
            async with db.read(EVERY_TENANT) as connection:
                u = t.usage_record.c
                assert list(await connection.scalars(select(u.settled_at).order_by(u.id))) == [77, 5, 5]
                assert await connection.scalar(select(func.sum(t.entry.c.amount_nano))) == 0
            assert await schema.lock_problems(db) == []
        finally:
            await db.close()


async def migrate_to(db: Database, revision: str) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(schema._MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with db.administer() as connection:
        await connection.run_sync(run)


async def fill_first_schema(db: Database) -> None:
    ids = [id_in(Month(2026, 6)), id_in(Month(2026, 7)), "req_ODD"]
    async with db.administer() as connection:
        for number, request_id in enumerate(ids):
            await connection.exec_driver_sql(
                "INSERT INTO usage_record (id, tenant_id, customer_id, key_id, model, public_model, dialect, stream,"
                " status, http_status, quantities, usage_source, retail_nano, wholesale_nano, cost_nano,"
                " retail_version, wholesale_version, attempts, latency_ms, created_at) VALUES"
                f" ('{request_id}', 1, 'cus_1', 'key_1', 'm', 'm', 'openai', false, 'ok', 200, '{{}}', 'upstream',"
                " 0, 0, 0, 'prc_1', 'prc_2', 1, 1, 5)"
            )
            txn = "txn_" + request_id.partition("_")[2]
            await connection.exec_driver_sql(
                "INSERT INTO entry (txn_id, line, tenant_id, account_id, amount_nano) VALUES"
                f" ('{txn}', 0, 1, 1, {number}), ('{txn}', 1, 1, 2, {-number})"
            )
        await connection.exec_driver_sql(
            "INSERT INTO hold (request_id, tenant_id, state, customer_id, wallet_id, reseller_wallet_id, key_id,"
            " window_started_at, model, retail_version, wholesale_version, output_limit, retail_nano, wholesale_nano,"
            " allocations, owner, epoch, created_at, resolved_at) VALUES"
            f" ('{ids[0]}', 1, 'voided', 'cus_1', 1, 2, 'key_1', -1, 'm', 'prc_1', 'prc_2', 1, 0, 0,"
            " '[]', 'own_1', 1, 5, 77)"
        )
