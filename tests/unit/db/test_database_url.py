"""URLs of databases as people write them: good ones are taken, the rest is told with what to write instead."""

from __future__ import annotations

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.db.engine import Database

POSTGRES = "postgresql+asyncpg://"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:///shop.db",
        "sqlite+aiosqlite:////var/lib/shop.db",
        f"{POSTGRES}user:pass@db.example/shop",
        f"{POSTGRES}user:p%40ss@db.example:6432/shop?ssl=verify-full&prepared_statement_cache_size=0",
        f"{POSTGRES}user@/shop?host=/run/postgresql",
        f"{POSTGRES}[::1]:5432/shop?command_timeout=30",
        "postgres://user:pass@db.example/shop?sslmode=require",
        "postgresql://user:pass@db.example/shop?sslmode=verify-full",
        "sqlite:///shop.db",
    ],
)
async def test_what_can_be_opened_is_taken(url: str) -> None:
    await Database(url).close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("shop.db", "sqlite"),
        (f"{POSTGRES}user:pass@db.example:port/shop", "%40"),
        (f"{POSTGRES}user:pass@one:1,two:2/shop", "postgresql"),
        (f"{POSTGRES}[::1/shop", "postgresql"),
        (f"{POSTGRES}db.example:99999/shop", "65535"),
        (f"{POSTGRES}db.example:-1/shop", "65535"),
        (f"{POSTGRES}db.example/shop?sslmode=always", "verify-full"),
        (f"{POSTGRES}db.example/shop?ssl=require&ssl=disable", "verify-full"),
        (f"{POSTGRES}db.example/shop?ssl=require&sslmode=disable", "Leave one"),
        (f"{POSTGRES}db.example/shop?application_name=x", "Known are"),
        (f"{POSTGRES}db.example/shop?command_timeout=soon", "number"),
        (f"{POSTGRES}db.example/shop?command_timeout=1&command_timeout=2", "number"),
        ("postgresql+psycopg://db.example/shop", "asyncpg"),
        ("sqlite+aiosqlite://", "PATH"),
        ("sqlite+aiosqlite:///:memory:", "PATH"),
        ("sqlite+aiosqlite://var/lib/shop.db", "four slashes"),
        ("sqlite+aiosqlite:///shop.db?mode=ro", "question mark"),
        ("sqlite+aiosqlite:///file:shop?mode=memory&uri=true", "question mark"),
    ],
)
def test_what_is_wrong_is_told_before_a_driver_trips_over_it(url: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Database(url)
    assert told in caught.value.fix


@pytest.mark.parametrize("asked", ["sslmode=verify-full", "ssl=verify-full"])
async def test_both_drivers_are_told_of_tls_in_their_own_words(asked: str) -> None:
    """The ledger connects by asyncpg alone, for which `ssl` in a URL would be a setting of the server."""
    database = Database(f"postgres://user:p%40ss@db.example:6432/shop?{asked}&command_timeout=30")
    assert database.postgres_dsn == "postgresql://user:p%40ss@db.example:6432/shop?sslmode=verify-full"
    assert dict(database.url.query) == {"ssl": "verify-full", "command_timeout": "30"}
    assert database.url.drivername == "postgresql+asyncpg"
    await database.close()
