"""Fixtures of tests that drive the command line on a database, and which tests PostgreSQL sees in a full run alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from tests.support.commands import Cli
from tests.support.databases import Databases

_HERE: Final = Path(__file__).parent
_FLOWS: Final = """
    abuse_reports api_tokens brand_editor cli_credit cli_customers cli_grants cli_keys cli_tenants cli_usage
    cli_vouchers credit_alerts deliver doctor doctor_findings domains faulty_providers group_prices hook_events
    hooks kept_responses launch low_balance passkeys portal_keys portal_usage price_editor price_notices
    price_simulation provision_catalogue provision_edit provision_merge provision_secrets scheduled_prices
    tenant_clone upstream_keys webhooks whose_routes
"""
"""Files about what is done with the store, not about the store: their tests repeat one another's statements."""
_EACH: Final = 3
"""On PostgreSQL a default run takes every third test of such a file, a full run takes all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    flows = {_HERE / f"test_{name}.py" for name in _FLOWS.split()}
    again = sorted((item for item in items if item.path in flows and item.get_closest_marker("postgres")), key=_place)
    for _, of_file in groupby(again, key=lambda item: item.path):
        for number, item in enumerate(of_file):
            if number % _EACH:
                item.add_marker(pytest.mark.slow)


def _place(item: pytest.Item) -> tuple[Path, int, str]:
    """Where it stands in its file, however the run shuffles."""
    return item.path, item.reportinfo()[1] or 0, item.name


@pytest.fixture
def cli(ready_database_url: str, tmp_path: Path) -> Cli:
    """The command line on a database of the test's own, on each backend in turn."""
    return Cli(tmp_path, ready_database_url)


@pytest.fixture
async def embedded_cli(databases: Databases, tmp_path: Path) -> AsyncIterator[Cli]:
    """The command line on SQLite alone: for what no statement of a database decides, such as refused arguments."""
    async with databases.ready("sqlite") as url:
        yield Cli(tmp_path, url)
