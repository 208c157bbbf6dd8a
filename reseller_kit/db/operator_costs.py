"""The operator's price versions of another deployment, kept for the calls that were reckoned by them. Sets no price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def add_cost_versions(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the operator's price versions that are not here, from the beginning of time: no new price comes of them."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(t.price_version).on_conflict_do_nothing(index_elements=["id"])
    if rows:
        await connection.execute(statement, [{**row, "tenant_id": None, "effective_from": 0} for row in rows])
