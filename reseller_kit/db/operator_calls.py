"""What the audit reads of calls and transactions, a span of ids after the other. Changes nothing, judges nothing.

A span is read in three statements whatever its size: its calls, the counts of all its rows, and how many of its entries
are exactly those that a call's charges call for. Where these agree, no entry needs to be looked at by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select, text

from ..core.ledger import NO_WINDOW
from . import tables as t
from .operator_audit import Connection, Rows, of_tenant

CALLS_AT_ONCE: Final = 10_000
ENTRIES_AT_ONCE: Final = 100_000
END: Final = "\U0010ffff"
"""What no id sorts behind."""

a, e, h, u, x = t.account.c, t.entry.c, t.hold.c, t.usage_record.c, t.txn.c

# Each line of a call's transaction has its place: retail, wholesale, cost, each twice, and those that are zero are left
# out. (txn_id, line) is a key, so no line can stand in for another one. CROSS JOIN is how SQLite is told the order.
# Tenants are compared by a difference: by an equation PostgreSQL may join all entries of a tenant with all its calls.
_AS_CHARGED: Final = text(
    """
    SELECT count(*) FROM usage_record u CROSS JOIN hold h CROSS JOIN (
        SELECT tenant_id, max(CASE kind WHEN 'reseller_revenue' THEN id END) AS retail,
            max(CASE kind WHEN 'wholesale_revenue' THEN id END) AS wholesale,
            max(CASE kind WHEN 'upstream_cost' THEN id END) AS cost,
            max(CASE kind WHEN 'upstream_payable' THEN id END) AS payable
        FROM account WHERE tenant_id IN :tenants AND owner = ''
            AND kind IN ('reseller_revenue', 'wholesale_revenue', 'upstream_cost', 'upstream_payable')
        GROUP BY tenant_id
    ) s CROSS JOIN txn x CROSS JOIN entry e
    WHERE u.id > :after AND u.id <= :until AND s.tenant_id = u.tenant_id
        AND h.request_id = u.id AND h.request_id > :after AND h.request_id <= :until
        AND x.id = 'txn_' || substr(u.id, 5) AND x.id > :txn_after AND x.id <= :txn_until
        AND x.tenant_id - u.tenant_id = 0 AND e.tenant_id - u.tenant_id = 0
        AND e.txn_id = x.id AND e.txn_id > :txn_after AND e.txn_id <= :txn_until
        AND e.line >= 0 AND e.amount_nano <> 0
        AND CASE e.line + CASE WHEN u.retail_nano = 0 THEN 2 ELSE 0 END
                + CASE WHEN u.wholesale_nano = 0 AND (u.retail_nano = 0 OR e.line >= 2) THEN 2 ELSE 0 END
            WHEN 0 THEN e.account_id = h.wallet_id AND e.amount_nano = -u.retail_nano
            WHEN 1 THEN e.account_id = s.retail AND e.amount_nano = u.retail_nano
            WHEN 2 THEN e.account_id = h.reseller_wallet_id AND e.amount_nano = -u.wholesale_nano
            WHEN 3 THEN e.account_id = s.wholesale AND e.amount_nano = u.wholesale_nano
            WHEN 4 THEN e.account_id = s.cost AND e.amount_nano = -u.cost_nano
            WHEN 5 THEN e.account_id = s.payable AND e.amount_nano = u.cost_nano
            ELSE false END
    """
).bindparams(bindparam("tenants", expanding=True))


class Span(Struct, frozen=True, kw_only=True):
    """Calls with ids behind `after` and up to `until`; transactions of these calls and of between them.

    Spans in a row leave no row out and name none twice. In an `archived` one there are transactions without calls.
    """

    after: str
    until: str
    txn_after: str
    txn_until: str
    archived: bool = False

    def calls(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """The ids of calls that lie in it."""
        return and_(column > self.after, column <= self.until)

    def transactions(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """The ids of transactions that lie in it."""
        return and_(column > self.txn_after, column <= self.txn_until)


class CallRow(NamedTuple):
    """A usage record with its hold's accounts, 0 where there is no hold. `sound`: the hold fits the record.

    `window_key`, `window_at`: the key and period whose limit it spent; None where the key has no limit.
    """

    id: str
    tenant_id: int
    customer_id: str
    key_id: str
    model: str
    quantities: str
    retail_nano: int
    wholesale_nano: int
    cost_nano: int
    retail_version: str
    wholesale_version: str
    cost_version: str | None
    created_at: int
    settled_at: int
    wallet_id: int
    reseller_wallet_id: int
    window_key: str | None
    window_at: int
    sound: int


class Counts(Struct, frozen=True, kw_only=True):
    """How many rows a span has."""

    transactions: int
    entries: int
    holds: int


class Others(Struct, frozen=True, kw_only=True):
    """A span's transactions that are no calls', with the entries that are their tenant's, on its own accounts."""

    transactions: int
    entries: int
    unbalanced: int


async def prepare(connection: Connection) -> None:
    """Have the database plan each span for what it is."""
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        await connection.exec_driver_sql("SET LOCAL jit = off")


async def calls_behind(connection: Connection, tenant_id: int | None, after: str) -> list[CallRow]:
    """The next usage records in order of id. A hold fits if it is of the same parties and resolved as charged."""
    nothing = and_(u.retail_nano == 0, u.wholesale_nano == 0, u.cost_nano == 0)
    sound = and_(
        h.kind == "call",
        h.tenant_id == u.tenant_id,
        h.customer_id == u.customer_id,
        h.key_id == u.key_id,
        or_(and_(h.state == "captured", ~nothing), and_(h.state.in_(("voided", "expired")), nothing)),
    )
    limited = and_(h.state == "captured", h.window_started_at != NO_WINDOW)
    of_hold = {
        "wallet_id": func.coalesce(h.wallet_id, 0),
        "reseller_wallet_id": func.coalesce(h.reseller_wallet_id, 0),
        "window_key": case((limited, h.key_id)),
        "window_at": func.coalesce(h.window_started_at, NO_WINDOW),
        "sound": case((sound, 1), else_=0),
    }
    columns = (of_hold[name] if name in of_hold else u[name] for name in CallRow._fields)
    statement = select(*columns).outerjoin_from(
        t.usage_record, t.hold, and_(h.request_id == u.id, h.request_id > after)
    )
    statement = of_tenant(statement.where(u.id > after), t.usage_record, tenant_id)
    rows = await connection.execute(statement.order_by(u.id).limit(CALLS_AT_ONCE))
    return list(map(CallRow._make, rows.all()))


async def counts(connection: Connection, tenant_id: int | None, span: Span) -> Counts:
    """How many rows lie in a span."""
    row = (
        await connection.execute(
            select(
                _count(t.txn, span.transactions(x.id), tenant_id),
                _count(t.entry, span.transactions(e.txn_id), tenant_id),
                _count(t.hold, span.calls(h.request_id), tenant_id),
            )
        )
    ).one()
    return Counts(transactions=row[0], entries=row[1], holds=row[2])


async def as_charged(connection: Connection, tenant_ids: Collection[int], span: Span) -> int:
    """How many entries are lines of a call's transaction as its usage record and hold call for it, of these tenants."""
    if not tenant_ids:
        return 0
    values = {"tenants": list(tenant_ids), "after": span.after, "until": span.until}
    values |= {"txn_after": span.txn_after, "txn_until": span.txn_until}
    # PostgreSQL can't tell how many rows the newest ids are, and a nested loop without an index is the square of it.
    await _allow_nested_loops(connection, "off")
    found = int(await connection.scalar(_AS_CHARGED, values) or 0)
    await _allow_nested_loops(connection, "on")
    return found


async def others(connection: Connection, tenant_id: int | None, span: Span) -> Others:
    """The transactions that are no calls'; all of them in an archived span."""
    joined = t.txn.join(t.entry, and_(e.txn_id == x.id, e.tenant_id == x.tenant_id, span.transactions(e.txn_id)))
    joined = joined.join(t.account, and_(a.id == e.account_id, a.tenant_id == e.tenant_id))
    each = select(x.id, func.count().label("entries"), func.sum(e.amount_nano).label("total")).select_from(joined)
    each = of_tenant(_of_no_call(each.where(span.transactions(x.id)), span), t.txn, tenant_id)
    found = each.group_by(x.id).subquery()
    unbalanced = func.coalesce(func.sum(case((found.c.total != 0, 1), else_=0)), 0)
    row = (
        await connection.execute(select(func.count(), func.coalesce(func.sum(found.c.entries), 0), unbalanced))
    ).one()
    return Others(transactions=row[0], entries=int(row[1]), unbalanced=int(row[2]))


async def posted(
    connection: Connection, tenant_id: int | None, span: Span, *, of_calls: bool
) -> list[tuple[int, str | None, int]]:
    """(account id, code, sum) of the entries, with those of calls if so wished; no code means no transaction.

    A row for each account and code: a span of many transactions is best taken in `parts`.
    """
    statement = select(e.account_id, x.code, func.sum(e.amount_nano))
    if of_calls:
        statement = statement.select_from(t.entry.outerjoin(t.txn, x.id == e.txn_id))
    else:
        statement = _of_no_call(statement.select_from(t.txn.join(t.entry, e.txn_id == x.id)), span)
        statement = statement.where(span.transactions(x.id))
    statement = of_tenant(statement.where(span.transactions(e.txn_id)), t.entry, tenant_id)
    rows = await connection.execute(statement.group_by(e.account_id, x.code))
    return [(account_id, code, int(total)) for account_id, code, total in rows]


async def parts(connection: Connection, span: Span, has: Counts) -> list[Span]:
    """The span's transactions in spans of some ten thousand entries, without its calls."""
    if has.entries <= ENTRIES_AT_ONCE:
        return [span]
    found, after = [], span.txn_after
    while True:
        waiting = select(e.txn_id).where(e.txn_id > after, e.txn_id <= span.txn_until).order_by(e.txn_id)
        end = await connection.scalar(waiting.offset(ENTRIES_AT_ONCE).limit(1))
        until = span.txn_until if end is None else end
        found.append(Span(after="", until="", txn_after=after, txn_until=until, archived=span.archived))
        if end is None:
            return found
        after = until


async def accounts(connection: Connection, ids: Collection[int]) -> dict[int, tuple[int, str, str]]:
    """(tenant id, kind, owner) of these accounts; at most some ten thousand at a time."""
    rows = await connection.execute(select(a.id, a.tenant_id, a.kind, a.owner).where(a.id.in_(ids)))
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def _allow_nested_loops(connection: Connection, state: str) -> None:
    if connection.dialect.name == "postgresql":
        # nosemgrep: sql-put-together – SET binds nothing; callers give "on" or "off"
        await connection.exec_driver_sql(f"SET LOCAL enable_nestloop = {state}")


def _of_no_call(statement: Rows, span: Span) -> Rows:
    return statement if span.archived else statement.where(x.code != "call")


def _count(table: Any, within: ColumnElement[bool], tenant_id: int | None) -> Any:
    counted: Select[Any] = select(func.count()).select_from(table).where(within)
    return of_tenant(counted, table, tenant_id).scalar_subquery()
