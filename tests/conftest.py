"""Fixtures that every kind of test shares: databases, and the guard that keeps a run on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

from scripts._lib import postgres, redis
from tests.support.clock import wait_for_room
from tests.support.sockets import install_guard

if TYPE_CHECKING:
    from reseller_kit.db.engine import Database
    from scripts._lib.redis import RedisServer
    from tests.support.databases import Databases

# The slowest of two busy cores must not turn a property into a flake; examples are still limited by their number.
settings.register_profile("kit", deadline=None, print_blob=True)
# A seeded bug has to be noticed, not to be shown in its smallest form.
settings.register_profile("mutants", settings.get_profile("kit"), phases=(Phase.explicit, Phase.generate))
settings.register_profile("fast", settings.get_profile("kit"), max_examples=20)
# Where nobody waits for it, what failed is told at once: making it small takes minutes with a real database.
settings.register_profile("unattended", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate))
settings.load_profile("unattended" if os.environ.get("CI") else "kit")


def pytest_configure() -> None:
    install_guard()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
        if {"shared_redis", "own_redis"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.redis)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings and proxies never decide a test."""
    for name in list(os.environ):
        if name.startswith("RESELLER_KIT_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def one_day() -> None:
    """Begins the test where its day (UTC) does not end within it: for what is counted by the day or by the month."""
    wait_for_room()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> str:
    """`sqlite`, then `postgres`: a test that asks for a database runs once on each."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes databases; its PostgreSQL server is one for the whole run, started when the first test needs it."""
    from tests.support.databases import Databases

    with ExitStack() as stack:
        start = cache(lambda: stack.enter_context(postgres.running_server()))
        yield Databases(tmp_path_factory.mktemp("databases"), start)


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One Redis or Valkey for the whole run: for tests that keep to names of their own and leave it running."""
    with redis.running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis or Valkey that the test may stop and start."""
    with redis.running_redis() as server:
        yield server


@pytest.fixture
async def database_url(backend: str, databases: Databases) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own."""
    async with databases.empty(backend) as url:
        yield url


@pytest.fixture
async def ready_database_url(backend: str, databases: Databases) -> AsyncIterator[str]:
    """The URL of a database of the test's own, with this version's schema and no rows."""
    async with databases.ready(backend) as url:
        yield url


@pytest.fixture
async def db(ready_database_url: str) -> AsyncIterator[Database]:
    """An open database of the test's own, with this version's schema and no rows."""
    from reseller_kit.db.engine import Database

    database = Database(ready_database_url)
    yield database
    await database.close()
