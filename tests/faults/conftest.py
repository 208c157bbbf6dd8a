"""The fault lab: storefronts on a database, without a server yet; each scenario starts the processes that it harms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache

import pytest

from tests.support.crowd import Crowd, crowd
from tests.support.databases import Databases
from tests.support.product import Shop, prepared_shop

Serve = Callable[[int], AbstractContextManager[Shop]]


@contextmanager
def database_for(backend: str, databases: Databases) -> Iterator[str | None]:
    """The URL of an empty database for real processes; None is the installation's own SQLite file."""
    if backend == "sqlite":
        yield None
        return
    with asyncio.Runner() as runner:
        context = databases.empty(backend)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def houses(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Serve]]:
    """Prepares the storefronts on a database, once."""
    with ExitStack() as stack:

        @cache
        def prepare(backend: str) -> Serve:
            url = stack.enter_context(database_for(backend, databases))
            folder = tmp_path_factory.mktemp(f"house-{backend}")
            return stack.enter_context(prepared_shop(folder, url, emulator_options=("--timeline",)))

        yield prepare


@pytest.fixture
def serve(houses: Callable[[str], Serve], backend: str) -> Serve:
    """Starts a server of so many processes, once on each database."""
    return houses(backend)


@pytest.fixture
def callers() -> Iterator[Crowd]:
    """Callers for this test."""
    with crowd() as made:
        yield made
