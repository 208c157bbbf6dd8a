"""The fixture of tests that drive the command line on a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Cli


@pytest.fixture
def cli(ready_database_url: str, tmp_path: Path) -> Cli:
    """The command line on a database of the test's own."""
    return Cli(tmp_path, ready_database_url)
