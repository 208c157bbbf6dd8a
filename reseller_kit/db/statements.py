"""What moved on a tenant's accounts in a stretch of time, by what it was. Reads only; classes nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from ..core.statement import ModelUse
from ..core.times import DAY_US
from . import tables as t

MAX_ROWS: Final = 10_000
"""Most single movements that one statement lists."""


class Moved(Struct, frozen=True, kw_only=True):
    """A transaction of a wallet that is no call, with the order that it is of. Nano-USD, µs."""

    id: str
    created_at: int
    code: str
    ref: str
    amount: int
    price: int | None
    order_id: str | None
    title: str
    request_key: str
    receipt: dict[str, Any] | None
    receipt_number: str


class Sales(Struct, frozen=True, kw_only=True):
    """Orders that were credited: how many, what was paid and credited for them, and what went back since."""

    orders: int
    price: int
    credits: int
    refunded: int


class Turnover(Struct, frozen=True, kw_only=True):
    """What transactions of a code moved on accounts of a kind, in nano-USD; `later`: behind the time asked for."""

    kind: str
    code: str
    later: bool
    amount: int


async def balance_at(connection: AsyncConnection, tenant_id: int, wallet_id: int, at: int) -> int:
    """The wallet's balance before that moment (µs): today's, less what moved since, which is exact at any moment."""
    a, e, x = t.account.c, t.entry.c, t.txn.c
    now = await connection.scalar(select(a.balance_nano).where(a.tenant_id == tenant_id, a.id == wallet_id))
    moved = (
        select(_sum(e.amount_nano))
        .select_from(t.txn.join(t.entry, e.txn_id == x.id))
        .where(x.tenant_id == tenant_id, x.wallet_id == wallet_id, x.created_at >= at, _from(e.txn_id, at))
        .where(e.account_id == wallet_id, e.tenant_id == tenant_id)
    )
    return int(now or 0) - int(await connection.scalar(moved) or 0)


async def calls_by_model(
    connection: AsyncConnection, tenant_id: int, wallet_id: int, since: int, until: int
) -> list[ModelUse]:
    """What calls of each model, as it was asked for, took from the wallet; the dearest first."""
    e, x, u = t.entry.c, t.txn.c, t.usage_record.c
    joined = t.txn.join(t.entry, e.txn_id == x.id).outerjoin(
        t.usage_record, (u.id == x.ref) & (u.tenant_id == x.tenant_id)
    )
    model, spent = func.coalesce(u.model, ""), _sum(e.amount_nano)
    statement = (
        select(model.label("model"), func.count().label("calls"), spent.label("amount"))
        .select_from(joined)
        .where(*_within(tenant_id, wallet_id, since, until), x.code == "call")
        .group_by(model)
        .order_by(spent, model)
    )
    return [
        ModelUse(model=row.model, calls=row.calls, amount=row.amount) for row in await connection.execute(statement)
    ]


async def movements(connection: AsyncConnection, tenant_id: int, wallet_id: int, since: int, until: int) -> list[Moved]:
    """Everything beside calls, oldest first."""
    e, x, o, p, r = t.entry.c, t.txn.c, t.purchase_order.c, t.package.c, t.receipt.c
    joined = (
        t.txn.join(t.entry, e.txn_id == x.id)
        .outerjoin(t.purchase_order, (o.id == x.ref) & (o.tenant_id == x.tenant_id))
        .outerjoin(t.package, (p.id == o.package_id) & (p.tenant_id == o.tenant_id))
        .outerjoin(t.receipt, (r.order_id == o.id) & (r.tenant_id == o.tenant_id))
    )
    columns = (x.id, x.created_at, x.code, x.ref, e.amount_nano, o.price_nano, o.id.label("order_id"), p.terms)
    statement: Select[Any] = (
        select(*columns, o.request_key, r.content, r.year, r.number)
        .select_from(joined)
        .where(*_within(tenant_id, wallet_id, since, until), x.code != "call")
        .order_by(x.created_at, x.id)
        .limit(MAX_ROWS)
    )
    return [
        Moved(
            id=row.id,
            created_at=row.created_at,
            code=row.code,
            ref=row.ref,
            amount=row.amount_nano,
            price=row.price_nano,
            order_id=row.order_id,
            title="" if row.terms is None else str(row.terms["title"]),
            request_key=row.request_key or "",
            receipt=row.content,
            receipt_number="" if row.number is None else f"{row.year}-{row.number:05d}",
        )
        for row in await connection.execute(statement)
    ]


async def by_code(
    connection: AsyncConnection, tenant_id: int, kinds: Collection[str], since: int, until: int
) -> list[Turnover]:
    """What moved from `since` on, by code, on all of the tenant's accounts of these kinds: one look at each entry."""
    e, x, a = t.entry.c, t.txn.c, t.account.c
    joined = t.txn.join(t.entry, e.txn_id == x.id).join(t.account, a.id == e.account_id)
    later = (x.created_at >= until).label("later")
    statement = (
        select(a.kind, x.code, later, _sum(e.amount_nano).label("amount"))
        .select_from(joined)
        .where(x.tenant_id == tenant_id, e.tenant_id == tenant_id, a.tenant_id == tenant_id, a.kind.in_(kinds))
        .where(x.created_at >= since, _from(e.txn_id, since), _from(x.id, since))
        .group_by(a.kind, x.code, later)
        .order_by(x.code)
    )
    return [
        Turnover(kind=row.kind, code=row.code, later=bool(row.later), amount=row.amount)
        for row in await connection.execute(statement)
    ]


async def moved_by(connection: AsyncConnection, tenant_id: int, wallet_id: int, code: str, ref: str, since: int) -> int:
    """What transactions of this code about `ref` moved on a wallet since then (µs)."""
    e, x = t.entry.c, t.txn.c
    statement = (
        select(_sum(e.amount_nano))
        .select_from(t.txn.join(t.entry, e.txn_id == x.id))
        .where(x.tenant_id == tenant_id, x.code == code, x.ref == ref, x.id >= lowest_id("txn", since))
        .where(e.tenant_id == tenant_id, e.account_id == wallet_id, _from(e.txn_id, since))
    )
    return int(await connection.scalar(statement) or 0)


async def sales(connection: AsyncConnection, tenant_id: int, since: int, until: int) -> Sales:
    """What the tenant's customers paid for, by when it was credited."""
    o, r = t.purchase_order.c, t.receipt.c
    statement = (
        select(
            func.count().label("orders"),
            _sum(o.price_nano).label("price"),
            _sum(o.credits_nano).label("credits"),
            _sum(o.refunded_nano).label("refunded"),
        )
        .select_from(t.purchase_order.join(t.receipt, r.order_id == o.id))
        .where(o.tenant_id == tenant_id, r.tenant_id == tenant_id, r.issued_at >= since, r.issued_at < until)
    )
    row = (await connection.execute(statement)).one()
    return Sales(orders=row.orders, price=row.price or 0, credits=row.credits or 0, refunded=row.refunded or 0)


def _within(tenant_id: int, wallet_id: int, since: int, until: int) -> tuple[ColumnElement[bool], ...]:
    e, x = t.entry.c, t.txn.c
    return (
        x.tenant_id == tenant_id,
        x.wallet_id == wallet_id,
        x.created_at >= since,
        x.created_at < until,
        e.tenant_id == tenant_id,
        e.account_id == wallet_id,
        *_between(e.txn_id, since, until),
    )


def _between(ids: ColumnElement[str], since: int, until: int) -> tuple[ColumnElement[bool], ...]:
    """The months of entries to look into: an id is as old as its call, which may have begun a day earlier."""
    return _from(ids, since), ids < lowest_id("txn", until + DAY_US)


def _from(ids: ColumnElement[str], at: int) -> ColumnElement[bool]:
    return ids >= lowest_id("txn", at - DAY_US)


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.sum(column), BigInteger)
