from __future__ import annotations

import pytest
from sqlalchemy import text

from reseller_kit.db import schema
from reseller_kit.db.engine import Database


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_gets_an_empty_database_of_its_own(database_url: str, turn: str) -> None:
    database = Database(database_url)
    async with database.administer() as connection:
        await connection.execute(text("CREATE TABLE only_mine (id INTEGER PRIMARY KEY)"))
    assert await schema.current_revision(database) is None
    await database.close()


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_a_ready_database_has_the_schema_and_is_not_shared(db: Database, turn: str) -> None:
    assert await schema.current_revision(db) == schema.head()
    async with db.administer() as connection:
        await connection.execute(text("CREATE TABLE only_mine (id INTEGER PRIMARY KEY)"))
