"""A database that was made before there were revenue shares gets them, with all that is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select, text

from reseller_kit.db import schema
from reseller_kit.db import tables as t
from reseller_kit.db.accounts import TENANT_ACCOUNTS
from reseller_kit.db.engine import EVERY_TENANT, Database

NEW = ("reseller_accrual", "customer_cash", "payouts")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def _to_first(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


async def test_existing_tenants_get_their_accounts_and_existing_lots_have_accrued_nothing(db: Database) -> None:
    async with db.administer() as connection:
        await connection.run_sync(_to_first)
        for slug in ("aurora", "boreal"):
            tenant_id = await connection.scalar(
                text(
                    "INSERT INTO tenant (slug, name, status, theme, timezone, settings, created_at)"
                    f" VALUES ('{slug}', 'x', 'active', 'base', 'UTC', '{{}}', 0) RETURNING id"
                )
            )
            for kind in (*(kind for kind in TENANT_ACCOUNTS if kind not in NEW), "customer_wallet"):
                owner = "cus_1" if kind == "customer_wallet" else ""
                await connection.execute(
                    text(f"INSERT INTO account (tenant_id, kind, owner) VALUES ({tenant_id}, '{kind}', '{owner}')")
                )
            await connection.execute(
                text(
                    "INSERT INTO lot (id, tenant_id, wallet_id, kind, amount_nano, remaining_nano, models, created_at)"
                    f" SELECT 'lot_{slug}', tenant_id, id, 'manual', 5, 5, '[]', 0 FROM account"
                    f" WHERE tenant_id = {tenant_id} AND kind = 'customer_wallet'"
                )
            )
    assert schema.head() in await schema.upgrade(db)
    async with db.read(EVERY_TENANT) as connection:
        for tenant_id in (1, 2):
            a = t.account.c
            kinds = await connection.scalars(select(a.kind).where(a.tenant_id == tenant_id, a.owner == ""))
            assert sorted(kinds) == sorted(TENANT_ACCOUNTS)
        lots = await connection.execute(select(t.lot.c.remaining_nano, t.lot.c.cash_nano, t.lot.c.accrued_nano))
        assert lots.all() == [(5, 0, 0), (5, 0, 0)]
