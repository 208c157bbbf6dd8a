"""Parameters of a database URL reach both ways to PostgreSQL: SQLAlchemy's, and the ledger's own by asyncpg."""

from __future__ import annotations

import pytest

from reseller_kit.db.engine import Database
from tests.support.ledger import grant, make_shop, open_ledger, wallet

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


@pytest.mark.parametrize(
    "asked", ["sslmode=prefer", "ssl=prefer", "command_timeout=30&prepared_statement_cache_size=50"]
)
async def test_the_ledger_opens_what_the_pages_open(ready_database_url: str, asked: str) -> None:
    db = Database(f"{ready_database_url}?{asked}")
    try:
        shop = await make_shop(db)
        async with open_ledger(db) as ledger:
            await ledger.submit(grant(shop, 1_000))
        assert await wallet(db, shop.wallet_id) == (1_000, 0, 0)
    finally:
        await db.close()
