"""Migrations and tables say the same, and a database is brought up to date or refused, never half-way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select

from reseller_kit.core.errors import SchemaOutdated
from reseller_kit.db import leases, schema, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.partitions import is_partition


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def test_migrations_make_the_schema_of_the_tables(db: Database) -> None:
    applied = await schema.upgrade(db)

    def differences(connection: Connection) -> list[object]:
        options = {"include_name": lambda name, kind, _parents: kind != "table" or not is_partition(name)}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), t.metadata))

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
    async with db.administer() as connection:
        await leases.take(connection, "own_older", 1, "0000")
        await connection.exec_driver_sql("DELETE FROM alembic_version")
    with pytest.raises(SchemaOutdated, match="server of an older version"):
        await schema.upgrade(db)
    assert await schema.current_revision(db) is None


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(db: Database) -> None:
    await schema.upgrade(db)
    async with db.administer() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated):
        await schema.prepare(db)
    assert await schema.current_revision(db) == "9999"


async def test_a_database_of_the_first_version_is_upgraded_with_its_data(db: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    def make(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    async with db.administer() as connection:
        await connection.run_sync(make)
        tenant_id = await tenants.add(
            connection, slug="aurora", name="Aurora", status="active", theme="base", timezone="UTC", settings={}
        )
        await tenants.add_member(connection, tenant_id, "kim@example.com", "owner")
    with pytest.raises(SchemaOutdated) if db.backend == "postgresql" else nullcontext():
        await schema.prepare(db)
    await schema.upgrade(db)
    assert await schema.current_revision(db) == schema.head()
    assert await schema.lock_problems(db) == []
    async with db.read(tenant_id) as connection:
        assert [member.email for member in await tenants.members(connection, tenant_id)] == ["kim@example.com"]


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
