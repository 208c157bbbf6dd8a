"""What customers are to be told of a change of a tenant's retail prices, and that they were. Sends nothing."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.catalog import PriceList
from . import tables as t


class RetailChange(Struct, frozen=True, kw_only=True):
    """A model's retail prices just before a moment and from then on."""

    model: str
    before: PriceList
    after: PriceList


class ModelUser(Struct, frozen=True, kw_only=True):
    """A customer who used a model, under the name that it was asked for."""

    customer_id: str
    email: str
    name: str
    model: str


async def changes_at(connection: AsyncConnection, tenant_id: int, moment: int) -> list[RetailChange]:
    """The tenant's models whose retail prices change at the moment; one that had none before is left out."""
    c = t.price_version.c
    own = (c.tenant_id == tenant_id, c.level == "retail")
    changing = select(c.model).where(*own, c.effective_from == moment)
    rank = func.row_number().over(partition_by=c.model, order_by=(c.effective_from.desc(), c.id.desc())).label("rank")
    found: list[dict[str, PriceList]] = []
    for bound in (c.effective_from < moment, c.effective_from <= moment):
        ranked = select(c.model, c.prices, rank).where(*own, bound, c.model.in_(changing)).subquery()
        rows = await connection.execute(select(ranked).where(ranked.c.rank == 1).order_by(ranked.c.model))
        found.append({row.model: msgspec.convert(row.prices, PriceList) for row in rows})
    before, after = found
    return [
        RetailChange(model=model, before=before[model], after=prices)
        for model, prices in after.items()
        if model in before and before[model] != prices
    ]


async def users(connection: AsyncConnection, tenant_id: int, models: list[str], since: int) -> list[ModelUser]:
    """The tenant's active customers with a verified address who called one of the models since then, by customer."""
    u, c = t.usage_record.c, t.customer.c
    statement = (
        select(u.customer_id, c.email, u.model, u.public_model)
        .distinct()
        .join(t.customer, (c.id == u.customer_id) & (c.tenant_id == u.tenant_id))
        .where(u.tenant_id == tenant_id, u.public_model.in_(models), u.created_at >= since, u.status.in_(("ok", "cut")))
        .where(c.verified_at.is_not(None), c.status == "active")
        .order_by(u.customer_id, u.model)
    )
    return [
        ModelUser(customer_id=row.customer_id, email=row.email, name=row.model, model=row.public_model)
        for row in await connection.execute(statement)
    ]


async def mark_told(connection: AsyncConnection, tenant_id: int, moment: int, newest_version: str, now: int) -> None:
    """Note up to which version the customers were told of the change at the moment."""
    row = {"tenant_id": tenant_id, "effective_from": moment, "newest_version": newest_version, "told_at": now}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    changed = {"newest_version": newest_version, "told_at": now}
    statement = insert(t.price_notice).values(row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "effective_from"], set_=changed)
    )
