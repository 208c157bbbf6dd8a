"""Members over all tenants: those whom a configuration names and nobody has written to yet. Reads only."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def uninvited(connection: AsyncConnection, limit: int) -> list[tuple[int, int]]:
    """(tenant, member) of members who wait for their first invitation, at tenants that are not archived."""
    c, tenant = t.member.c, t.tenant.c
    statement = (
        select(c.tenant_id, c.id)
        .join(t.tenant, tenant.id == c.tenant_id)
        .where(c.status == "invited", c.invited_at.is_(None), tenant.status != "archived")
    )
    return [(row.tenant_id, row.id) for row in await connection.execute(statement.order_by(c.id).limit(limit))]
