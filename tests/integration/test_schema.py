"""Migrations and tables say the same, and a database is brought up to date or refused, never half-way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from reseller_kit.core.errors import Conflict, SchemaOutdated
from reseller_kit.db import audit_log, expansion, leases, schema, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.partitions import is_partition


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def _migrate_to(db: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    def make(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with db.administer() as connection:
        await connection.run_sync(make)


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
        if db.backend == "postgresql":
            await connection.exec_driver_sql("COMMENT ON TABLE alembic_version IS 'fits versions from 9998'")
    with pytest.raises(SchemaOutdated, match="newer schema 9999"):
        await schema.prepare(db)
    with pytest.raises(SchemaOutdated, match="newer schema 9999"):
        await schema.upgrade(db)
    assert not await schema.fits(db)
    assert await schema.current_revision(db) == "9999"


@pytest.mark.parametrize("note", [None, "IS NULL", "IS 'something else 0001'"])
async def test_a_newer_schema_that_only_grew_is_worked_on(db: Database, note: str | None) -> None:
    """What an old version finds when a new one has upgraded: it goes on, if the database says that it may."""
    await schema.upgrade(db)
    async with db.administer() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        if note and db.backend == "postgresql":
            await connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version {note}")
    if note or db.backend == "sqlite":
        with pytest.raises(SchemaOutdated, match="newer schema 9999"):
            await schema.prepare(db)
        return
    await schema.prepare(db)
    assert await schema.fits(db)
    assert await schema.upgrade(db) == []
    assert await schema.current_revision(db) == "9999"


async def test_a_schema_that_fits_older_servers_is_made_while_they_run(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, before, newest = schema.known_revisions()
    monkeypatch.setattr(expansion, "CONTRACTIONS", {before: before})
    await _migrate_to(db, before)
    async with db.administer() as connection:
        await leases.take(connection, "own_older", 1, before)
    if db.backend == "sqlite":
        with pytest.raises(SchemaOutdated, match="server of an older version"):
            await schema.upgrade(db)
        return
    assert await schema.upgrade(db) == [newest]
    assert await schema.lock_problems(db) == []


async def test_an_upgrade_gives_way_to_who_is_at_work(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is open on a table does not have others queue behind the upgrade, nor end in a deadlock."""
    if db.backend == "sqlite":
        return
    await schema.upgrade(db)
    monkeypatch.setattr(expansion, "_PAUSE_SECONDS", 0.05)
    async with db.administer() as connection:
        await connection.exec_driver_sql("ALTER TABLE customer DISABLE ROW LEVEL SECURITY")
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(select(t.customer.c.id))
        upgrading = asyncio.create_task(schema.upgrade(db))
        await asyncio.sleep(0.8)
        assert not upgrading.done()
        async with db.read(EVERY_TENANT) as beside:
            await beside.execute(select(t.customer.c.id))
    assert await upgrading == []
    assert await schema.lock_problems(db) == []


async def test_an_upgrade_that_never_gets_its_table_says_so(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if db.backend == "sqlite":
        return
    await schema.upgrade(db)
    monkeypatch.setattr(expansion, "_TRIES", 1)
    monkeypatch.setattr(expansion, "_PAUSE_SECONDS", 0.0)
    async with db.administer() as connection:
        await connection.exec_driver_sql("ALTER TABLE customer DISABLE ROW LEVEL SECURITY")
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(select(t.customer.c.id))
        with pytest.raises(Conflict, match="long transaction"):
            await schema.upgrade(db)


async def test_a_database_of_the_first_version_is_upgraded_with_its_data(db: Database) -> None:
    await _migrate_to(db, "0001")
    async with db.administer() as connection:
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


async def test_the_audit_log_only_grows(db: Database) -> None:
    await schema.upgrade(db)
    async with db.write(EVERY_TENANT) as connection:
        await audit_log.record(connection, None, "test", "test.happened", "test", "it")
    kept = ("id", "tenant_id", "actor", "action", "kind", "ref", "created_at")
    changes = [update(t.audit_log).values({name: t.audit_log.c[name]}) for name in kept]
    for statement in (*changes, delete(t.audit_log)):
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            async with db.write(EVERY_TENANT) as connection:
                await connection.execute(statement)
