"""Months of usage records and resolved holds: read for export, removed once that is safe. Of every tenant at once.

`Span` cuts by time-ordered ids. Transactions, entries and rollups are never touched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Table, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..core.months import Month, months, parse_month
from . import partitions
from . import tables as t
from .operator_audit import Connection

CHUNK: Final = 2_000
_EARLIEST: Final = Month(2020, 1)

_a, _h, _m, _u = t.archive.c, t.hold.c, t.rollup_mark.c, t.usage_record.c


class Span(Struct, frozen=True):
    """Calls of one month: ids from `first` on and before `end`."""

    first: str
    end: str


class MonthFacts(Struct, frozen=True, kw_only=True):
    """What is in a month. Amounts in nano-USD; `settled_until` is when the last of its calls was settled, in µs."""

    records: int
    holds: int
    retail_nano: int
    wholesale_nano: int
    cost_nano: int
    settled_until: int


class ArchivedMonth(Struct, frozen=True, kw_only=True):
    """A month that was archived; `state` is removing while its rows are being deleted, then removed."""

    month: str
    state: str
    path: str
    sha256: str
    records: int
    holds: int


async def archived(connection: Connection) -> list[ArchivedMonth]:
    """Every archived month, in order."""
    columns = [_a[name] for name in ArchivedMonth.__struct_fields__]
    rows = await connection.execute(select(*columns).order_by(_a.month))
    return [ArchivedMonth(**row) for row in rows.mappings()]


async def horizon(connection: Connection) -> Month | None:
    """The first month whose calls are not archived; None while nothing is."""
    last = await connection.scalar(select(func.max(_a.month)))
    return None if last is None else parse_month(last).later()


async def live_months(connection: Connection, before: Month) -> list[Month]:
    """Every month before `before` from the oldest on that has a usage record or a hold, with those between."""
    oldest: list[str] = []
    for column in (_u.id, _h.request_id):
        within = column >= _EARLIEST.first_id("req"), column < before.first_id("req")
        first = await connection.scalar(select(func.min(column)).where(*within))
        oldest += [] if first is None else [first]
    if not oldest:
        return []
    every = months(_EARLIEST, before)
    start = next(month for month in every if min(oldest) < month.later().first_id("req"))
    return months(start, before.later(-1))


def span_of(month: Month) -> Span:
    """The ids of a month."""
    return Span(month.first_id("req"), month.later().first_id("req"))


async def open_call(connection: Connection, span: Span) -> str | None:
    """A call of before the span's end that is still open."""
    statement = select(_h.request_id).where(_h.state == "open", _h.request_id < span.end)
    found: str | None = await connection.scalar(statement.limit(1))
    return found


async def facts(connection: Connection, span: Span) -> MonthFacts:
    """What is stored of a month."""
    amounts = [func.coalesce(func.sum(_u[name]), 0) for name in ("retail_nano", "wholesale_nano", "cost_nano")]
    records = select(func.count(), *amounts, func.coalesce(func.max(_u.settled_at), 0))
    row = (await connection.execute(records.where(_u.id >= span.first, _u.id < span.end))).one()
    holds = select(func.count()).select_from(t.hold).where(*_resolved(span))
    return MonthFacts(
        records=row[0],
        holds=int(await connection.scalar(holds) or 0),
        retail_nano=int(row[1]),
        wholesale_nano=int(row[2]),
        cost_nano=int(row[3]),
        settled_until=row[4],
    )


async def rows_of(connection: Connection, table: Table, span: Span) -> AsyncIterator[list[dict[str, Any]]]:
    """A month's usage records or resolved call holds in order of id, some thousands at a time."""
    key = _u.id if table is t.usage_record else _h.request_id
    within = (key < span.end,) if table is t.usage_record else _resolved(span)
    after, statement = span.first, select(table).where(*within).order_by(key).limit(CHUNK)
    rows = (await connection.execute(statement.where(key >= after))).mappings().all()
    while rows:
        yield [dict(row) for row in rows]
        after = rows[-1][key.name]
        rows = (await connection.execute(statement.where(key > after))).mappings().all()


async def rolled_until(connection: Connection) -> int:
    """Settles stamped before this moment (µs) are in the rollups; nobody moves it until this transaction ends."""
    return int(await connection.scalar(select(_m.at).where(_m.name == "rolled").with_for_update()) or 0)


async def begin_removal(connection: Connection, month: ArchivedMonth, span: Span, now: int) -> None:
    """Note that a month's rows are in its files, and what they sum to; from here on the books do without them."""
    names = ("retail_nano", "wholesale_nano", "cost_nano")
    values = {name: getattr(month, name) for name in ArchivedMonth.__struct_fields__}
    await connection.execute(insert(t.archive).values(**values, created_at=now))
    wallet = func.coalesce(_h.reseller_wallet_id, 0)
    sums = (
        select(literal(month.month), wallet, _u.tenant_id, func.count(), *(func.sum(_u[name]) for name in names))
        .outerjoin_from(t.usage_record, t.hold, _h.request_id == _u.id)
        .where(_u.id >= span.first, _u.id < span.end)
        .group_by(_h.reseller_wallet_id, _u.tenant_id)
    )
    columns = ["month", "reseller_wallet_id", "tenant_id", "calls", *names]
    await connection.execute(insert(t.archived_usage).from_select(columns, sums))
    spent = (
        select(_h.key_id, _h.window_started_at, func.max(_h.tenant_id), func.sum(_u.retail_nano))
        .join(t.usage_record, _u.id == _h.request_id)
        .where(*_resolved(span), _h.state == "captured", _h.window_started_at >= 0)
        .group_by(_h.key_id, _h.window_started_at)
    )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    windows = dialect.insert(t.archived_window)
    windows = windows.from_select(["key_id", "started_at", "tenant_id", "spent_nano"], spent)
    await connection.execute(
        windows.on_conflict_do_update(
            index_elements=["key_id", "started_at"],
            set_={"spent_nano": t.archived_window.c.spent_nano + windows.excluded.spent_nano},
        )
    )


async def drop_partition(connection: Connection, month: Month) -> bool:
    """Drop the month's usage records in one go, where they lie in a partition of their own."""
    if connection.dialect.name != "postgresql":
        return False
    return await connection.run_sync(partitions.drop, "usage_record", month)


async def remove_some(connection: Connection, span: Span) -> int:
    """Delete the next usage records and resolved holds of a month; how many rows."""
    removed = 0
    for key, within in ((_u.id, (_u.id >= span.first, _u.id < span.end)), (_h.request_id, _resolved(span))):
        chosen = select(key).where(*within).order_by(key).limit(CHUNK)
        result = await connection.execute(delete(key.table).where(key.in_(chosen)))
        removed += result.rowcount
    return removed


async def end_removal(connection: Connection, month: str) -> None:
    """Note that nothing of a month is left."""
    await connection.execute(update(t.archive).where(_a.month == month).values(state="removed"))


async def archive_of(connection: Connection, record_id: str) -> ArchivedMonth | None:
    """The archive that a call of this id is in, if its month was archived."""
    for month in await archived(connection):
        span = span_of(parse_month(month.month))
        if span.first <= record_id < span.end:
            return month
    return None


def first_kept_id(month: Month | None) -> str:
    """What the ids of calls that are not archived sort behind."""
    return "" if month is None else month.first_id("req")


def _resolved(span: Span) -> tuple[Any, ...]:
    return _h.request_id >= span.first, _h.request_id < span.end, _h.state != "open", _h.kind == "call"
