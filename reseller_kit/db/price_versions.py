"""Price versions by their ids: what a pinned charge is computed from. Publishes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def lists_of(connection: AsyncConnection, tenant_id: int, ids: Iterable[str]) -> dict[str, Any]:
    """The stored price lists of versions that are the tenant's own or the operator's cost."""
    c = t.price_version.c
    own = or_(c.tenant_id == tenant_id, c.tenant_id.is_(None))
    rows = await connection.execute(select(c.id, c.prices).where(c.id.in_(list(ids)), own))
    return {row.id: row.prices for row in rows}
