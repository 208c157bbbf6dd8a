"""The storefront that real clients call, and the clients themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts._lib import clients
from tests.support.clients import rows
from tests.support.product import Shop, open_shop

TEMPLATE = Path(rows.__file__).with_name("stall.toml")


@pytest.fixture(scope="session")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A running storefront with a model in every upstream dialect, on SQLite: no client sees the database."""
    whole_bodies = ("--keep-bodies", str(1024 * 1024))
    with open_shop(tmp_path_factory.mktemp("stall"), template=TEMPLATE, emulator_options=whole_bodies) as shop:
        yield shop


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    """Nothing is fetched while tests run."""
    if request.node.get_closest_marker("node") is not None:
        assert clients.installed(), "the clients are not installed: run scripts/test, or python -m scripts._lib.clients"
