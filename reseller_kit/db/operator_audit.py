"""Reads behind `ledger audit` and `usage explain`, across tenants or of one. Changes nothing, judges nothing.

The checks themselves are in `operator_checks`. Amounts are nano-USD, times microseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from ..core.wholesale import wholesale_terms
from . import tables as t

__all__ = [
    "OPEN",
    "WALLETS",
    "Check",
    "Connection",
    "PaidLot",
    "PostedEntry",
    "Rows",
    "StoredPrices",
    "UsageFacts",
    "archived_windows",
    "drawn_on",
    "entries_of",
    "key_windows",
    "of_tenant",
    "offenders",
    "open_allocations",
    "open_holds",
    "paid_lots",
    "price_versions",
    "reserved_lots",
    "sharing_tenants",
    "usage_record",
    "usage_records",
    "wallets",
]

Rows: TypeAlias = Select[*tuple[Any, ...]]
"""A statement that reads rows of any shape."""

WALLETS: Final = ("customer_wallet", "reseller_wallet", "reseller_accrual")
"""The kinds of account whose balance is stored."""

OPEN: Final[ColumnElement[str]] = literal_column("'open'")
"""Not a parameter: the index of open holds serves only a query that names the state itself."""

_CHUNK: Final = 1_000


class UsageFacts(Struct, frozen=True, kw_only=True):
    """A usage record as stored; `quantities` is JSON: usage class → integer."""

    id: str
    tenant_id: int
    customer_id: str
    key_id: str
    model: str
    public_model: str
    upstream: str | None
    upstream_model: str | None
    status: str
    quantities: str
    usage_source: str
    usage_capped: bool
    retail_nano: int
    wholesale_nano: int
    cost_nano: int
    retail_version: str
    wholesale_version: str
    cost_version: str | None
    created_at: int
    settled_at: int


class StoredPrices(Struct, frozen=True, kw_only=True):
    """A price version as stored; `tenant_id` is None for what upstreams charge."""

    id: str
    tenant_id: int | None
    level: str
    model: str
    prices: dict[str, Any]
    effective_from: int


class Check(Struct, frozen=True, kw_only=True):
    """A statement whose rows are offenders: `ref`, then `found` and `expected` where `message` shows these amounts."""

    code: str
    invariant: int
    message: str
    statement: Rows


class PaidLot(Struct, frozen=True, kw_only=True):
    """A lot with cash behind it. Nano-USD."""

    id: str
    tenant_id: int
    amount_nano: int
    consumed_nano: int
    expired_nano: int
    cash_nano: int
    accrued_nano: int


class PostedEntry(Struct, frozen=True, kw_only=True):
    """One entry of a call's transaction: the account's kind and owner ("" for the tenant's own), and the amount."""

    txn_id: str
    kind: str
    owner: str
    amount_nano: int


async def offenders(connection: Connection, statement: Rows, limit: int) -> list[dict[str, Any]]:
    """At most `limit` rows that a check finds."""
    return [dict(row) for row in (await connection.execute(statement.limit(limit))).mappings()]


async def open_holds(connection: Connection, tenant_id: int | None) -> int:
    """How many holds are open."""
    counted = select(func.count()).select_from(t.hold).where(t.hold.c.state == OPEN)
    return int(await connection.scalar(of_tenant(counted, t.hold, tenant_id)) or 0)


async def usage_records(connection: Connection, ids: Collection[str]) -> list[UsageFacts]:
    """The usage records of these ids, in order; at most some ten thousand at a time."""
    u = t.usage_record.c
    rows = await connection.execute(_usage_columns().where(u.id.in_(ids)).order_by(u.id))
    return [UsageFacts(**row) for row in rows.mappings()]


async def usage_record(connection: Connection, usage_id: str, tenant_id: int | None) -> UsageFacts | None:
    """One usage record, of any tenant or of one."""
    statement = _usage_columns().where(t.usage_record.c.id == usage_id)
    rows = await connection.execute(of_tenant(statement, t.usage_record, tenant_id))
    row = rows.mappings().one_or_none()
    return None if row is None else UsageFacts(**row)


async def price_versions(connection: Connection, ids: Collection[str]) -> dict[str, StoredPrices]:
    """The price versions of these ids that exist; at most a few thousand at a time."""
    p = t.price_version.c
    columns = [p[name] for name in StoredPrices.__struct_fields__]
    rows = await connection.execute(select(*columns).where(p.id.in_(ids)))
    return {row["id"]: StoredPrices(**row) for row in rows.mappings()}


async def entries_of(connection: Connection, txn_ids: Collection[str]) -> list[PostedEntry]:
    """The entries of these transactions; at most a few thousand at a time."""
    e, a = t.entry.c, t.account.c
    statement = select(e.txn_id, a.kind, a.owner, e.amount_nano).join(t.account, a.id == e.account_id)
    rows = await connection.execute(statement.where(e.txn_id.in_(txn_ids)))
    return [PostedEntry(**row) for row in rows.mappings()]


async def drawn_on(connection: Connection, request_ids: Collection[str]) -> dict[str, str]:
    """The kind of the reseller's account that each call's hold was placed on; at most a few thousand at a time."""
    h, a = t.hold.c, t.account.c
    statement = select(h.request_id, a.kind).join(t.account, a.id == h.reseller_wallet_id)
    rows = await connection.execute(statement.where(h.request_id.in_(request_ids)))
    return {row.request_id: row.kind for row in rows}


async def wallets(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[tuple[int, int]]]:
    """(id, balance) of every account with a stored balance, in order of id, a thousand at a time."""
    a = t.account.c
    last: int | None = 0
    while last is not None:
        statement = select(a.id, a.balance_nano).where(a.kind.in_(WALLETS), a.id > last).order_by(a.id).limit(_CHUNK)
        rows = (await connection.execute(of_tenant(statement, t.account, tenant_id))).all()
        yield [(row.id, row.balance_nano) for row in rows]
        last = rows[-1].id if rows else None


async def reserved_lots(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[tuple[str, int]]]:
    """(id, reserved) of every lot that has anything reserved, in order of id, a thousand at a time."""
    c = t.lot.c
    statement = of_tenant(select(c.id, c.reserved_nano).where(c.reserved_nano != 0), t.lot, tenant_id)
    async for chunk in _chunks(connection, statement, c.id):
        yield [(row.id, row.reserved_nano) for row in chunk]


async def open_allocations(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[tuple[str, int, str]]]:
    """(request id, retail reserved, allocations as JSON) of every open hold, a thousand at a time."""
    h = t.hold.c
    statement = select(h.request_id, h.retail_nano, h.allocations).where(h.state == OPEN)
    async for chunk in _chunks(connection, of_tenant(statement, t.hold, tenant_id), h.request_id):
        yield [(row.request_id, row.retail_nano, row.allocations) for row in chunk]


async def key_windows(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[tuple[str, int, int]]]:
    """(key id, start, spent by its own calls) of every period of a key, in order, a thousand at a time."""
    w = t.key_window.c
    spent = select(w.key_id, w.started_at, (w.spent_nano - w.carried_nano).label("spent_nano"))
    async for chunk in _windows(connection, of_tenant(spent, t.key_window, tenant_id)):
        yield chunk


async def archived_windows(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[tuple[str, int, int]]]:
    """(key id, start, spent) of what archived calls spent in periods of keys, in order, a thousand at a time."""
    w = t.archived_window.c
    spent = select(w.key_id, w.started_at, w.spent_nano)
    async for chunk in _windows(connection, of_tenant(spent, t.archived_window, tenant_id)):
        yield chunk


async def sharing_tenants(connection: Connection) -> set[int]:
    """The tenants that share their revenue now."""
    rows = await connection.execute(select(t.tenant.c.id, t.tenant.c.settings))
    return {row.id for row in rows if wholesale_terms(row.settings).settlement == "revenue_share"}


async def paid_lots(connection: Connection, tenant_id: int | None) -> AsyncIterator[list[PaidLot]]:
    """Every lot with cash behind it, in order of id, a thousand at a time."""
    c = t.lot.c
    last = ""
    while True:
        columns = [c[name] for name in PaidLot.__struct_fields__]
        statement = select(*columns).where(c.cash_nano > 0, c.id > last).order_by(c.id).limit(_CHUNK)
        rows = await connection.execute(of_tenant(statement, t.lot, tenant_id))
        chunk = [PaidLot(**row) for row in rows.mappings()]
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1].id


def of_tenant(statement: Rows, table: Table, tenant_id: int | None) -> Rows:
    """`statement` for one tenant's rows of `table`; for all of them when `tenant_id` is None."""
    return statement if tenant_id is None else statement.where(table.c.tenant_id == tenant_id)


async def _windows(connection: Connection, statement: Rows) -> AsyncIterator[list[Any]]:
    columns = list(statement.selected_columns)[:2]
    ordered = statement.order_by(*columns).limit(_CHUNK)
    rows = list(await connection.execute(ordered))
    while rows:
        yield rows
        rows = list(await connection.execute(ordered.where(tuple_(*columns) > tuple_(*rows[-1][:2]))))


async def _chunks(connection: Connection, statement: Rows, key: ColumnElement[str]) -> AsyncIterator[list[Any]]:
    """The statement's rows in order of `key`, which is their first column."""
    last = ""
    while True:
        chunk = list(await connection.execute(statement.where(key > last).order_by(key).limit(_CHUNK)))
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1][0]


def _usage_columns() -> Rows:
    return select(*(t.usage_record.c[name] for name in UsageFacts.__struct_fields__))
