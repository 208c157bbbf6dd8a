"""A tenant's published prices: in force now, and every version there was. Publishes and derives nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.catalog import PriceList, retail_level
from . import tables as t


class Published(Struct, frozen=True, kw_only=True):
    """A model's prices at the three levels, as published under its public name.

    `provider`: what the reseller's own upstream charges the reseller, where calls go over one.
    """

    model: str
    cost: PriceList
    wholesale: PriceList
    retail: PriceList
    provider: PriceList | None = None


class StoredVersion(Struct, frozen=True, kw_only=True):
    """One immutable price version. Times in µs. `origin`: where a cost came from, `file` or `catalogue VERSION`.

    `next_from`: when the version after it takes effect, if there is one.
    """

    id: str
    model: str
    level: str
    price_list: PriceList
    origin: str | None
    effective_from: int
    next_from: int | None
    created_at: int


def is_retail(level: Any) -> ColumnElement[bool]:
    """Whether a column of levels holds what customers pay, in whatever group they are."""
    return or_(level == retail_level(None), level.startswith(retail_level(""), autoescape=True))


async def in_force(
    connection: AsyncConnection, tenant_id: int, now: int, group_id: str | None = None
) -> list[Published]:
    """The prices at `now` of every active model that the tenant has both levels of, by model name.

    `group_id`: retail is what a group with a markup of its own pays.
    """
    level = retail_level(group_id)
    c, m = t.price_version.c, t.model.c
    rank = func.row_number().over(partition_by=(c.model, c.level), order_by=(c.effective_from.desc(), c.id.desc()))
    own = select(c.model, c.level, c.prices, rank.label("rank")).where(
        c.tenant_id == tenant_id, c.effective_from <= now
    )
    ranked = own.subquery()
    found: dict[tuple[str, str], Any] = {}
    for row in await connection.execute(select(ranked).where(ranked.c.rank == 1)):
        found[row.model, row.level] = row.prices
    costs = select(m.name, c.prices).join(t.price_version, c.id == m.cost_version).where(m.status == "active")
    return [
        Published(
            model=row.name,
            cost=_price_list(found.get((row.name, "cost"), row.prices)),
            wholesale=_price_list(found[row.name, "wholesale"]),
            retail=_price_list(found[row.name, level]),
            provider=provider_list(found.get((row.name, "provider"))),
        )
        for row in await connection.execute(costs.order_by(m.name))
        if (row.name, "wholesale") in found and (row.name, level) in found
    ]


async def history(
    connection: AsyncConnection, tenant_id: int, model: str | None, limit: int, before: tuple[int, str] | None
) -> list[StoredVersion]:
    """The tenant's versions of its models and the operator's costs of these, newest first.

    Only one model's, if given, and only those before (effective_from, id), if given.
    """
    c = t.price_version.c
    priced = select(c.model).where(c.tenant_id == tenant_id, c.level == "retail")
    following = func.lead(c.effective_from).over(
        partition_by=(c.tenant_id, c.model, c.level), order_by=(c.effective_from, c.id)
    )
    own = select(t.price_version, following.label("next_from")).where(
        or_(c.tenant_id == tenant_id, c.tenant_id.is_(None)), c.model.in_(priced)
    )
    if model is not None:
        own = own.where(c.model == model)
    ranked = own.subquery()
    v, statement = ranked.c, select(ranked)
    if before is not None:
        at, version = before
        statement = statement.where((v.effective_from < at) | ((v.effective_from == at) & (v.id < version)))
    rows = await connection.execute(statement.order_by(v.effective_from.desc(), v.id.desc()).limit(limit))
    return [
        StoredVersion(
            id=row.id,
            model=row.model,
            level=row.level,
            price_list=_price_list(row.prices),
            origin=row.prices.get("origin"),
            effective_from=row.effective_from,
            next_from=row.next_from,
            created_at=row.created_at,
        )
        for row in rows
    ]


async def active_models(connection: AsyncConnection) -> list[str]:
    """The public names of every active model."""
    c = t.model.c
    return list(await connection.scalars(select(c.name).where(c.status == "active").order_by(c.name)))


def provider_list(stored: Any) -> PriceList | None:
    """What a reseller pays its own provider, from its stored JSON: a list of nothing says that it no longer does."""
    prices = None if stored is None else _price_list(stored)
    return prices if prices is not None and prices.prices else None


def _price_list(document: Any) -> PriceList:
    return msgspec.convert(document, PriceList)
