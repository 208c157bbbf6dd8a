"""What customers are to be told of a change of a tenant's retail prices, and that they were. Sends nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.catalog import PriceList, group_of_level, retail_level
from . import tables as t
from .prices import is_retail

ANNOUNCED: Final = "price_change"
WITHDRAWN: Final = "price_withdrawn"
KINDS: Final = (ANNOUNCED, WITHDRAWN)


class RetailChange(Struct, frozen=True, kw_only=True):
    """A model's retail prices just before a moment and from then on; `group`: whose, None for everybody's."""

    group: str | None
    model: str
    before: PriceList
    after: PriceList


class ModelUser(Struct, frozen=True, kw_only=True):
    """A customer who used a model, under the name that it was asked for; `group`: the one that it is in."""

    group: str | None
    customer_id: str
    email: str
    name: str
    model: str


class Told(Struct, frozen=True):
    """What a customer was told last of a moment: the mail, its kind, and the lines that it named."""

    customer_id: str
    mail_id: str
    kind: str
    recipient: str
    lines: tuple[dict[str, Any], ...]


async def changes_at(connection: AsyncConnection, tenant_id: int, moment: int) -> list[RetailChange]:
    """The tenant's models whose retail prices change at the moment; one that had none before is left out.

    A group that gets prices of its own paid until then what everybody does.
    """
    c = t.price_version.c
    own = (c.tenant_id == tenant_id, is_retail(c.level))
    changing = select(c.model).where(*own, c.effective_from == moment)
    newest = (c.effective_from.desc(), c.id.desc())
    rank = func.row_number().over(partition_by=(c.level, c.model), order_by=newest).label("rank")
    found: list[dict[tuple[str, str], PriceList]] = []
    for bound in (c.effective_from < moment, c.effective_from <= moment):
        ranked = select(c.level, c.model, c.prices, rank).where(*own, bound, c.model.in_(changing)).subquery()
        rows = await connection.execute(
            select(ranked).where(ranked.c.rank == 1).order_by(ranked.c.model, ranked.c.level)
        )
        found.append({(row.level, row.model): msgspec.convert(row.prices, PriceList) for row in rows})
    before, after = found
    usual = retail_level(None)
    return [
        RetailChange(group=group_of_level(level), model=model, before=old, after=prices)
        for (level, model), prices in after.items()
        if (old := before.get((level, model), before.get((usual, model)))) is not None and old != prices
    ]


async def users(connection: AsyncConnection, tenant_id: int, models: list[str], since: int) -> list[ModelUser]:
    """The tenant's active customers with a verified address who called one of the models since then, by customer."""
    if not models:
        return []
    u, c = t.usage_record.c, t.customer.c
    statement = (
        select(u.customer_id, c.email, c.group_id, u.model, u.public_model)
        .distinct()
        .join(t.customer, (c.id == u.customer_id) & (c.tenant_id == u.tenant_id))
        .where(u.tenant_id == tenant_id, u.public_model.in_(models), u.created_at >= since, u.status.in_(("ok", "cut")))
        .where(c.verified_at.is_not(None), c.status == "active")
        .order_by(u.customer_id, u.model)
    )
    return [
        ModelUser(
            customer_id=row.customer_id, email=row.email, name=row.model, model=row.public_model, group=row.group_id
        )
        for row in await connection.execute(statement)
    ]


async def told(connection: AsyncConnection, tenant_id: int, moment: int) -> list[Told]:
    """The latest mail about the moment to each customer, by customer."""
    c = t.outbox.c
    # A mail's dedupe is KIND:CUSTOMER:MOMENT:…
    statement = (
        select(c.id, c.kind, c.recipient, c.payload, c.dedupe)
        .where(c.tenant_id == tenant_id, c.kind.in_(KINDS), c.dedupe.like(f"%:{moment}:%"))
        .order_by(c.id)
    )
    latest = {
        customer: Told(customer, row.id, row.kind, row.recipient, tuple(row.payload["lines"]))
        for row in await connection.execute(statement)
        for customer in row.dedupe.split(":")[1:2]
    }
    return [latest[customer] for customer in sorted(latest)]


async def mark_told(connection: AsyncConnection, tenant_id: int, moment: int, newest_version: str, now: int) -> None:
    """Note up to which version the customers were told of the change at the moment."""
    row = {"tenant_id": tenant_id, "effective_from": moment, "newest_version": newest_version, "told_at": now}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    changed = {"newest_version": newest_version, "told_at": now}
    statement = insert(t.price_notice).values(row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "effective_from"], set_=changed)
    )
