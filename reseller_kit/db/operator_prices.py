"""Finds, across tenants, scheduled prices that are due and changes that customers were not told of."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .prices import is_retail
from .tenants import Tenant


class Untold(Struct, frozen=True, kw_only=True):
    """Retail prices of a tenant that begin at a moment (µs), as of their newest version.

    `news`: whether there may be something to tell. Of first prices, and nothing told before, there is not.
    """

    tenant: Tenant
    effective_from: int
    newest_version: str
    news: bool


async def is_due(connection: AsyncConnection, now: int) -> bool:
    """Whether the moment of any scheduled change has come."""
    c = t.scheduled_price.c
    return bool(await connection.scalar(select(exists().where(c.state == "waiting", c.effective_from <= now))))


async def untold(connection: AsyncConnection, since: int, until: int) -> list[Untold]:
    """Changes between two moments that customers were not told of, or not as they stand now."""
    c, told, tenant = t.price_version.c, t.price_notice.c, t.tenant.c
    found = (
        select(c.tenant_id, c.effective_from, func.max(c.id).label("newest"))
        .where(is_retail(c.level), c.effective_from > since, c.effective_from <= until)
        .group_by(c.tenant_id, c.effective_from)
        .subquery()
    )
    same = (told.tenant_id == found.c.tenant_id) & (told.effective_from == found.c.effective_from)
    new, old = t.price_version.alias(), t.price_version.alias()
    changed = (
        exists()
        .where(new.c.tenant_id == found.c.tenant_id, new.c.effective_from == found.c.effective_from)
        .where(old.c.tenant_id == new.c.tenant_id, old.c.model == new.c.model)
        .where(is_retail(new.c.level), is_retail(old.c.level), old.c.effective_from < new.c.effective_from)
    )
    statement = (
        select(found.c.effective_from, found.c.newest, or_(told.told_at.is_not(None), changed).label("news"), t.tenant)
        .select_from(found)
        .join(t.tenant, tenant.id == found.c.tenant_id)
        .outerjoin(t.price_notice, same)
        .where(or_(told.newest_version.is_(None), told.newest_version < found.c.newest))
        .order_by(found.c.effective_from, found.c.tenant_id)
    )
    return [
        Untold(
            effective_from=row["effective_from"],
            newest_version=row["newest"],
            news=row["news"],
            tenant=Tenant(**{column.name: row[column] for column in t.tenant.columns}),
        )
        for row in (await connection.execute(statement)).mappings()
    ]


async def pass_over(connection: AsyncConnection, first: Sequence[Untold], now: int) -> None:
    """Note that there is nothing to tell of these prices, up to the version that was found."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [
        {
            "tenant_id": one.tenant.id,
            "effective_from": one.effective_from,
            "newest_version": one.newest_version,
            "told_at": now,
        }
        for one in first
    ]
    # Another process may have told of a newer version meanwhile.
    if rows:
        await connection.execute(insert(t.price_notice).on_conflict_do_nothing(), rows)
