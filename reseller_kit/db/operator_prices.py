"""Finds, across tenants, scheduled prices that are due and changes that customers were not told of. Changes nothing."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .prices import is_retail


class Untold(Struct, frozen=True, kw_only=True):
    """Retail prices of a tenant that change at a moment (µs), as of their newest version."""

    tenant_id: int
    effective_from: int
    newest_version: str


async def is_due(connection: AsyncConnection, now: int) -> bool:
    """Whether the moment of any scheduled change has come."""
    c = t.scheduled_price.c
    return bool(await connection.scalar(select(exists().where(c.state == "waiting", c.effective_from <= now))))


async def untold(connection: AsyncConnection, since: int, until: int) -> list[Untold]:
    """Changes between two moments that customers were not told of, or not as they stand now."""
    c, told = t.price_version.c, t.price_notice.c
    found = (
        select(c.tenant_id, c.effective_from, func.max(c.id).label("newest"))
        .where(is_retail(c.level), c.effective_from > since, c.effective_from <= until)
        .group_by(c.tenant_id, c.effective_from)
        .subquery()
    )
    same = (told.tenant_id == found.c.tenant_id) & (told.effective_from == found.c.effective_from)
    statement = (
        select(found)
        .outerjoin(t.price_notice, same)
        .where(or_(told.newest_version.is_(None), told.newest_version < found.c.newest))
        .order_by(found.c.effective_from, found.c.tenant_id)
    )
    return [
        Untold(tenant_id=row.tenant_id, effective_from=row.effective_from, newest_version=row.newest)
        for row in await connection.execute(statement)
    ]
