"""Migrations and tables say the same, and a database is brought up to date or refused, never half-way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select

from reseller_kit.core.errors import SchemaOutdated
from reseller_kit.db import leases, schema
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def test_migrations_make_the_schema_of_the_tables(db: Database) -> None:
    applied = await schema.upgrade(db)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), t.metadata))

    async with db.read(EVERY_TENANT) as connection:
        assert await connection.run_sync(differences) == []
        revision = await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    assert applied[-1] == schema.head() == revision


async def test_upgrading_twice_changes_nothing(db: Database) -> None:
    await schema.upgrade(db)
    assert await schema.upgrade(db) == []
    assert await schema.current_revision(db) == schema.head()


async def test_an_upgrade_is_refused_while_a_server_of_another_schema_runs(db: Database) -> None:
    await schema.upgrade(db)
    async with db.write(EVERY_TENANT) as connection:
        await leases.take(connection, "own_older", 1, "0000")
        await connection.exec_driver_sql("DELETE FROM alembic_version")
    with pytest.raises(SchemaOutdated, match="server of an older version"):
        await schema.upgrade(db)
    assert await schema.current_revision(db) is None


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(db: Database) -> None:
    await schema.upgrade(db)
    async with db.write(EVERY_TENANT) as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated):
        await schema.prepare(db)
    assert await schema.current_revision(db) == "9999"


async def test_a_failed_write_leaves_nothing(db: Database) -> None:
    await schema.upgrade(db)

    async def fail_half_way() -> None:
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(insert(t.lease).values(owner="own_x", epoch=1, renewed_at=now_us(), schema=""))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await fail_half_way()
    async with db.read(EVERY_TENANT) as connection:
        assert (await connection.execute(select(t.lease))).all() == []
