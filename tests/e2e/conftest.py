"""The storefronts that end-to-end tests call: one running product a database for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.support.databases import Databases, url_for_processes
from tests.support.paid_shop import PaidShop, paid_shop
from tests.support.product import Shop, open_shop


@pytest.fixture(scope="session")
def shops(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shop]]:
    """Opens the shop on a database, once."""
    with ExitStack() as stack:

        @cache
        def open_on(backend: str) -> Shop:
            url = stack.enter_context(url_for_processes(backend, databases))
            return stack.enter_context(open_shop(tmp_path_factory.mktemp(f"shop-{backend}"), url))

        yield open_on


@pytest.fixture
def shop(shops: Callable[[str], Shop], backend: str) -> Shop:
    """The running storefronts, once on each database: for what touches money."""
    return shops(backend)


@pytest.fixture
def any_shop(shops: Callable[[str], Shop]) -> Shop:
    """The running storefronts on SQLite: for what no database changes."""
    return shops("sqlite")


@pytest.fixture(scope="session")
def paid_shops(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], PaidShop]]:
    """Opens the storefronts whose customers pay at the double of Paddle, on a database, once."""
    with ExitStack() as stack:

        @cache
        def open_on(backend: str) -> PaidShop:
            url = stack.enter_context(url_for_processes(backend, databases))
            return stack.enter_context(paid_shop(tmp_path_factory.mktemp(f"paid-{backend}"), url))

        yield open_on


@pytest.fixture
def paid(paid_shops: Callable[[str], PaidShop], backend: str) -> PaidShop:
    """The storefronts that are paid at the double, once on each database; nothing goes wrong until a test says so."""
    opened = paid_shops(backend)
    opened.double.heal()
    return opened
