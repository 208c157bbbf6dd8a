"""Whatever the database holds of a tenant."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from reseller_kit.db import tables as t
from reseller_kit.db.engine import Connection


async def all_rows(connection: Connection, tenant_id: int) -> dict[str, list[Any]]:
    """Everything that the database holds of a tenant."""
    found = {}
    for table in t.metadata.tables.values():
        column = table.c.id if table is t.tenant else table.c.get("tenant_id")
        if column is not None:
            statement = select(table).where(column == tenant_id).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in await connection.execute(statement)]
    return found
