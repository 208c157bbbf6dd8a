"""The second migration on a database that has been in use: periods keep their sums under their new names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select

from reseller_kit.core.periods import period_of
from reseller_kit.core.times import parse_time
from reseller_kit.db import schema
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def to_first(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def tenant(number: int, slug: str, timezone: str) -> dict[str, Any]:
    common = {"status": "active", "theme": "base", "settings": {}, "created_at": 0}
    return {"id": number, "slug": slug, "name": slug, "timezone": timezone, **common}


def window(tenant_id: int, key_id: str, started_at: str, spent: int, reserved: int = 0) -> dict[str, Any]:
    at = parse_time(started_at)
    return {
        "tenant_id": tenant_id,
        "key_id": key_id,
        "started_at": at,
        "spent_nano": spent,
        "reserved_nano": reserved,
    }


def hold(tenant_id: int, request_id: str, window_started_at: int) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "tenant_id": tenant_id,
        "kind": "call",
        "state": "open",
        "customer_id": "cus_1",
        "wallet_id": 1,
        "reseller_wallet_id": 2,
        "key_id": "key_1",
        "window_started_at": window_started_at,
        "model": "m",
        "retail_version": "",
        "wholesale_version": "",
        "output_limit": 1,
        "retail_nano": 0,
        "wholesale_nano": 0,
        "allocations": "[]",
        "owner": "",
        "epoch": 0,
        "created_at": 0,
    }


async def test_periods_are_named_by_their_date_from_now_on(db: Database) -> None:
    async with db.administer() as connection:
        await connection.run_sync(to_first)
        for row in (tenant(1, "utc", "UTC"), tenant(2, "tokyo", "Asia/Tokyo"), tenant(3, "york", "America/New_York")):
            await connection.execute(t.tenant.insert().values(row))
        for row in (
            window(1, "key_u", "2026-05-05T00:00:00Z", 1),
            window(2, "key_t", "2026-05-04T15:00:00Z", 2, 7),
            window(2, "key_t", "2026-05-05T15:00:00Z", 3),
            window(2, "key_t", "2026-05-05T00:00:00Z", 40),  # from before a change of zone: of the same date
            window(2, "key_t", "1970-01-01", 5),  # for ever
            window(3, "key_n", "2026-05-05T04:00:00Z", 6),
            window(3, "key_n", "2026-05-06T04:00:00Z", 7),
        ):
            await connection.execute(t.key_window.insert().values(row))
        for tenant_id, request_id, at in (
            (2, "req_t", parse_time("2026-05-04T15:00:00Z")),
            (2, "req_none", -1),
            (2, "req_ever", 0),
            (3, "req_n", parse_time("2026-05-06T04:00:00Z")),
        ):
            await connection.execute(t.hold.insert().values(hold(tenant_id, request_id, at)))
    assert "0002" in await schema.upgrade(db)
    async with db.read(EVERY_TENANT) as connection:
        h = t.hold.c
        windows = {
            (row.key_id, row.started_at): (row.spent_nano, row.reserved_nano)
            for row in await connection.execute(select(t.key_window))
        }
        holds = {
            row.request_id: row.window_started_at
            for row in await connection.execute(select(h.request_id, h.window_started_at))
        }
    assert windows == {
        ("key_u", parse_time("2026-05-05")): (1, 0),
        ("key_t", parse_time("2026-05-05")): (42, 7),
        ("key_t", parse_time("2026-05-06")): (3, 0),
        ("key_t", 0): (5, 0),
        ("key_n", parse_time("2026-05-05")): (6, 0),
        ("key_n", parse_time("2026-05-06")): (7, 0),
    }
    assert holds == {
        "req_t": parse_time("2026-05-05"),
        "req_none": -1,
        "req_ever": 0,
        "req_n": parse_time("2026-05-06"),
    }
    assert period_of("daily", "Asia/Tokyo", parse_time("2026-05-04T15:00:00Z")) == holds["req_t"]
