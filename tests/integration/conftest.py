"""Fixtures of tests that drive the command line on a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.commands import Cli
from tests.support.databases import Databases


@pytest.fixture
def cli(ready_database_url: str, tmp_path: Path) -> Cli:
    """The command line on a database of the test's own, on each backend in turn."""
    return Cli(tmp_path, ready_database_url)


@pytest.fixture
async def embedded_cli(databases: Databases, tmp_path: Path) -> AsyncIterator[Cli]:
    """The command line on SQLite alone: for what no statement of a database decides, such as refused arguments."""
    async with databases.ready("sqlite") as url:
        yield Cli(tmp_path, url)
