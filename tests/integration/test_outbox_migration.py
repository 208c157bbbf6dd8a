"""A database of the first release, with data, becomes one of this version and keeps what it held."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from reseller_kit.db import schema
from reseller_kit.db.engine import EVERY_TENANT, Database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def to_first_release(connection: Connection) -> None:
    to_revision(connection, "0001")


def to_revision(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_prices_and_tenants_of_the_first_release_are_kept(db: Database) -> None:
    async with db.administer() as connection:
        await connection.run_sync(to_first_release)
        await connection.execute(
            text(
                "INSERT INTO tenant (slug, name, status, theme, timezone, settings, created_at)"
                " VALUES ('aurora', 'Aurora', 'active', 'daylight', 'UTC', '{}', 1)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO price_version (id, tenant_id, level, model, prices, effective_from, created_at)"
                " SELECT 'prc_1', id, 'retail', 'gpt-5', '{}', 1, 1 FROM tenant"
            )
        )
    assert await schema.upgrade(db) == schema.known_revisions()[1:]
    async with db.read(EVERY_TENANT) as connection:
        kept = (await connection.execute(text("SELECT slug, p.id FROM tenant JOIN price_version p ON true"))).all()
        made = [
            await connection.scalar(text(f"SELECT count(*) FROM {name}"))  # names of ours
            for name in ("outbox", "scheduled_price", "price_notice")
        ]
    assert [tuple(row) for row in kept] == [("aurora", "prc_1")]
    assert made == [0, 0, 0]


async def test_mails_that_wait_are_kept_and_those_to_the_operator_have_no_tenant(db: Database) -> None:
    mail = (
        "INSERT INTO outbox (id, tenant_id, kind, recipient, payload, dedupe, created_at, due_at)"
        " SELECT '{0}', {1}, 'price_change', 'a@example.com', '{{}}', 'one', 1, 1 FROM tenant"
    )
    async with db.administer() as connection:
        await connection.run_sync(lambda sync: to_revision(sync, "0010"))
        await connection.execute(
            text(
                "INSERT INTO tenant (slug, name, status, theme, timezone, settings, created_at)"
                " VALUES ('aurora', 'Aurora', 'active', 'daylight', 'UTC', '{}', 1)"
            )
        )
        await connection.execute(text(mail.format("mail_1", "id")))
    await schema.upgrade(db)
    async with db.administer() as connection:
        await connection.execute(text(mail.format("mail_2", "NULL")))
        kept = await connection.execute(text("SELECT id, tenant_id IS NULL FROM outbox ORDER BY id"))
        assert [(row[0], bool(row[1])) for row in kept] == [("mail_1", False), ("mail_2", True)]
    for tenant in ("id", "NULL"):
        with pytest.raises(IntegrityError):
            async with db.administer() as connection:
                await connection.execute(text(mail.format("mail_3", tenant)))
