"""The fault lab: storefronts on a database, without a server yet; each scenario starts the processes that it harms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache

import pytest

from tests.support.crowd import Crowd, crowd
from tests.support.databases import Databases, url_for_processes
from tests.support.product import Shop, prepared_shop

Serve = Callable[[int], AbstractContextManager[Shop]]


@pytest.fixture(scope="session")
def houses(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Serve]]:
    """Prepares the storefronts on a database, once."""
    with ExitStack() as stack:

        @cache
        def prepare(backend: str) -> Serve:
            url = stack.enter_context(url_for_processes(backend, databases))
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
