"""How PostgreSQL finds the holds that a batch resolves: by their ids, however many are open."""

from __future__ import annotations

import asyncio
import re

import asyncpg
import pytest
from sqlalchemy import make_url, text

from reseller_kit.db.engine import Database
from reseller_kit.db.ledger import postgres
from reseller_kit.db.ledger import postgres_sql as sql
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


@pytest.mark.parametrize("statement", [sql.RESOLVE_HOLD, sql.CHECKPOINT], ids=["resolve", "checkpoint"])
async def test_holds_are_found_by_their_ids_when_statistics_say_that_none_is_open(db: Database, statement: str) -> None:
    """A small index of open holds looks cheap while nothing runs, and is read whole for each batch when a lot does."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000_000)), ledger.submit(deposit(shop, 1_000_000)))
        calls = [hold(shop, 10) for _ in range(200)]
        await asyncio.gather(*map(ledger.submit, calls))
        await asyncio.gather(*(ledger.submit(settle(shop, call, {"input": 1})) for call in calls))
    async with db.administer() as connection:
        await connection.execute(text("ANALYZE hold"))
    assert "pk_hold" in await generic_plan(db, statement)


async def generic_plan(db: Database, statement: str) -> str:
    """The plan that the ledger's connection keeps for a statement, whatever it is asked with."""
    url = make_url(db.postgres_dsn).render_as_string(hide_password=False)
    settings = {**postgres._BY_INDEX, "plan_cache_mode": "force_generic_plan"}
    connection = await asyncpg.connect(url, server_settings=settings)
    try:
        await connection.execute(f"PREPARE asked AS {statement}")
        nothing = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked({nothing})"))
    finally:
        await connection.close()
