"""Tables that every call writes may get columns beneath servers at work (PostgreSQL)."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from reseller_kit.core.ledger import Hold
from reseller_kit.db.engine import Database
from reseller_kit.db.ledger import LedgerWriter
from reseller_kit.db.ledger import postgres_sql as sql
from reseller_kit.flows.audit import audit
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


async def test_a_type_has_the_columns_that_this_version_writes(db: Database) -> None:
    """Another order would be wrong amounts, so it is looked at by name, type and place."""
    columns = text(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a WHERE a.attrelid ="
        " coalesce(to_regclass(:name), (SELECT typrelid FROM pg_type WHERE oid = to_regtype(:name)))"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    async with db.administer() as connection:
        types = [(table, sql.row_type(table), names) for table, names in sql.RECORDS.items()]
        alone = [(table, *shape) for table, shape in sql.ALONE.items()]
        holds = [("hold", *shape) for shape in sql.HOLD_RECORDS.items()]
        for table, type_, names in [*types, ("lot", *sql.LOT_DIFFERENCE), *alone, *holds]:
            found = [tuple(row) for row in await connection.execute(columns, {"name": type_})]
            stored = {row[0]: row[1] for row in await connection.execute(columns, {"name": table})}
            stored["version"] = "xid"
            assert found == [(name, stored[name]) for name in names], table


async def call(ledger: LedgerWriter, shop: Shop) -> None:
    """A call from its hold to its charge."""
    placed = hold(shop, 100, 80)
    assert isinstance(await ledger.submit(placed), Hold)
    await ledger.submit(settle(shop, placed, {"input": 10, "output": 2}))


async def test_they_grow_beneath_a_ledger_at_work(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as at_work:
        await at_work.submit(grant(shop, 1_000_000))
        await at_work.submit(deposit(shop, 1_000_000))
        await call(at_work, shop)
        async with db.administer() as connection:
            for table in sql.RECORDS:
                await connection.execute(text(f'ALTER TABLE "{table}" ADD COLUMN novel text'))
        await call(at_work, shop)
    async with open_ledger(db) as started_later:
        await call(started_later, shop)
    async with db.administer() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM hold WHERE novel IS NULL")) == 3
    report = await audit(db)
    assert report.ok, report.findings
