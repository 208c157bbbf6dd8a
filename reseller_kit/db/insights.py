"""What a storefront's days came to: calls and money, customers, orders, errors and latencies. Reads only.

Money comes from the rollups and from the records that are not in them yet, so it is exact however many calls there
were. Days are numbered since 1970 by the clocks of a zone, whose offsets (`core.days.offsets`) the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, case, distinct, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from ..core.times import DAY_US
from . import tables as t
from .rollup_sums import total
from .rollups import SumFilter, rolled_until, storefront_rows

Offsets = Sequence[tuple[int, int]]
Following = Callable[[ColumnElement[int]], ColumnElement[int]]
UNPAID_EVENTS: Final = ("cancel", "lapse")


class Stretch(Struct, frozen=True):
    """[since, until) in µs, both the starts of days of a zone, with the zone's offsets."""

    since: int
    until: int
    offsets: Offsets

    def number(self, at: ColumnElement[int]) -> ColumnElement[int]:
        """The day that a moment lies in."""
        first = self.offsets[0][1]
        offset = case(*((at >= since, value) for since, value in reversed(self.offsets)), else_=first)
        return (at + offset) // DAY_US

    def following(self, at: ColumnElement[int]) -> ColumnElement[int]:
        """A moment behind `at` and not behind the end of its day; near to that, unless clocks change."""
        end = (self.number(at) + 1) * DAY_US - max(offset for _, offset in self.offsets)
        return case((end > at, end), else_=at + 1)


class Money(Struct, frozen=True, kw_only=True):
    """What calls came to, in nano-USD, of a day (`number`) or of a model as asked for (`name`)."""

    calls: int
    retail: int
    wholesale: int
    number: int = 0
    name: str = ""


class Sales(Struct, frozen=True, kw_only=True):
    """A day's paid orders, their price in nano-USD."""

    orders: int
    amount: int


async def money_by_day(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> list[Money]:
    """A tenant's days with calls, in order."""
    rows = (await _storefront(connection, tenant_id, stretch)).c
    number = stretch.number(rows.quarter_at).label("number")
    found = await connection.execute(select(number, *_sums(rows)).group_by(number).order_by(number))
    return [Money(**row) for row in found.mappings()]


async def money_by_model(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> list[Money]:
    """A tenant's models as asked for, those with the largest sales first."""
    rows = (await _storefront(connection, tenant_id, stretch)).c
    order = (total(rows.retail_nano).desc(), total(rows.calls).desc(), rows.model)
    statement = select(rows.model.label("name"), *_sums(rows)).group_by(rows.model)
    return [Money(**row) for row in (await connection.execute(statement.order_by(*order))).mappings()]


async def active_by_day(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> dict[int, int]:
    """How many customers made calls, by day; and under -1 how many in all."""
    span = (stretch.since, stretch.until)
    rows = (await callers(connection, tenant_id, span, stretch.following)).subquery().c
    number = stretch.number(rows.at).label("number")
    by_day = select(number, func.count(distinct(rows.customer_id))).group_by(number)
    found = {row.number: row[1] for row in await connection.execute(by_day)}
    ever = (await callers(connection, tenant_id, span, lambda _: literal_column(str(stretch.until)))).subquery().c
    return {**found, -1: int(await connection.scalar(select(func.count(distinct(ever.customer_id)))) or 0)}


async def new_by_day(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> dict[int, int]:
    """How many customers signed up, by day."""
    c = t.customer.c
    number = stretch.number(c.created_at).label("number")
    wanted = (c.tenant_id == tenant_id, c.created_at >= stretch.since, c.created_at < stretch.until)
    rows = await connection.execute(select(number, func.count()).where(*wanted).group_by(number))
    return {row.number: row[1] for row in rows}


async def sales_by_day(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> dict[int, Sales]:
    """What was ordered and paid, by day of the payment."""
    c = t.purchase_order.c
    number = stretch.number(c.paid_at).label("number")
    wanted = (c.tenant_id == tenant_id, c.paid_at >= stretch.since, c.paid_at < stretch.until)
    statement = select(number, func.count(), total(c.price_nano)).where(*wanted).group_by(number)
    return {row.number: Sales(orders=row[1], amount=row[2]) for row in await connection.execute(statement)}


async def events_by_day(
    connection: AsyncConnection, tenant_id: int, stretch: Stretch, events: Sequence[str]
) -> dict[int, int]:
    """How many orders met one of these events, by day."""
    c = t.order_event.c
    number = stretch.number(c.created_at).label("number")
    wanted = (c.tenant_id == tenant_id, c.created_at >= stretch.since, c.created_at < stretch.until)
    counted = select(number, func.count(distinct(c.order_id))).where(*wanted, c.event.in_(events)).group_by(number)
    return {row.number: row[1] for row in await connection.execute(counted)}


async def failed_payments(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> dict[int, int]:
    """How many payments failed at their provider and were not made good since, by day of what it told last."""
    c = t.payment_fact.c
    number = stretch.number(c.occurred_at).label("number")
    wanted = (c.tenant_id == tenant_id, c.occurred_at >= stretch.since, c.occurred_at < stretch.until)
    failed = (c.kind == "payment", c.status == "failed")
    rows = await connection.execute(select(number, func.count()).where(*wanted, *failed).group_by(number))
    return {row.number: row[1] for row in rows}


async def failed_calls(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> dict[tuple[int, str], int]:
    """How many calls failed, by day and model as asked for: found by the index of calls that are not `ok`."""
    c = t.usage_record.c
    number = stretch.number(c.created_at).label("number")
    statement = select(number, c.model, func.count()).where(
        c.tenant_id == tenant_id,
        c.status != literal_column("'ok'"),
        c.status == literal_column("'failed'"),
        c.created_at >= stretch.since,
        c.created_at < stretch.until,
    )
    rows = await connection.execute(statement.group_by(number, c.model))
    return {(row.number, row.model): row[2] for row in rows}


async def latencies(
    connection: AsyncConnection, tenant_id: int, stretch: Stretch, limit: int
) -> list[tuple[int, int | None]]:
    """(whole, to the first byte) in ms of the latest calls that were answered, at most `limit`."""
    c = t.usage_record.c
    statement = select(c.latency_ms, c.first_byte_ms).where(
        c.tenant_id == tenant_id,
        c.id >= lowest_id("req", stretch.since - DAY_US),
        c.id < lowest_id("req", stretch.until),
        c.status.in_(("ok", "cut")),
    )
    return [(row[0], row[1]) for row in await connection.execute(statement.order_by(c.id.desc()).limit(limit))]


async def cohorts(connection: AsyncConnection, tenant_id: int, starts: Sequence[int]) -> dict[tuple[int, int], int]:
    """(month of sign-up, month of a call) → how many customers; -1 as the latter: all who signed up then.

    `starts`: the starts of the months in µs and the end of the last one.
    """
    c = t.customer.c
    signed_up = _month(c.created_at, starts)
    within = (c.tenant_id == tenant_id, c.created_at >= starts[0], c.created_at < starts[-1])
    joined = select(signed_up.label("joined"), func.count()).where(*within).group_by(signed_up)
    found = {(row.joined, -1): row[1] for row in await connection.execute(joined)}
    ends: list[ColumnElement[int]] = [literal_column(str(start)) for start in starts[1:]]

    def next_month(at: ColumnElement[int]) -> ColumnElement[int]:
        return case(*((at < end, end) for end in ends), else_=ends[-1])

    rows = (await callers(connection, tenant_id, (starts[0], starts[-1]), next_month)).subquery().c
    called = _month(rows.at, starts)
    statement = (
        select(signed_up.label("joined"), called.label("called"), func.count(distinct(c.id)))
        .join(t.customer, c.id == rows.customer_id)
        .where(*within)
        .group_by(signed_up, called)
    )
    return found | {(row.joined, row.called): row[2] for row in await connection.execute(statement)}


def _month(at: ColumnElement[int], starts: Sequence[int]) -> ColumnElement[int]:
    numbered = list(enumerate(starts[:-1]))
    return case(*((at >= start, literal_column(str(number))) for number, start in reversed(numbered)), else_=-1)


def _sums(rows: Any) -> list[ColumnElement[int]]:
    return [
        total(rows.calls).label("calls"),
        total(rows.retail_nano).label("retail"),
        total(rows.wholesale_nano).label("wholesale"),
    ]


async def _storefront(connection: AsyncConnection, tenant_id: int, stretch: Stretch) -> Any:
    wanted = SumFilter(None, stretch.since, stretch.until)
    return storefront_rows(tenant_id, wanted, await rolled_until(connection)).subquery()


async def callers(connection: AsyncConnection, tenant_id: int, span: tuple[int, int], following: Following) -> Any:
    """(customer_id, at) of quarters of an hour in [since, until) in which a customer made calls; not of all of them.

    Of each customer the first one, then the first from the end of its day or month on, and so on: an index finds each
    at once. The few calls settled since the rollups are there one by one.
    """
    c, s, u = t.customer.c, t.usage_total.c, t.usage_record.c
    since, until = span

    def first(customer_id: ColumnElement[str], after: ColumnElement[int] | int) -> ColumnElement[int]:
        own = (s.tenant_id == tenant_id, s.customer_id == customer_id, s.grain == literal_column("'quarter'"))
        found = select(s.at).where(*own, s.at >= after, s.at < until).order_by(s.at).limit(1)
        return found.scalar_subquery().label("at")

    begun: Select[Any] = select(c.id.label("customer_id"), first(c.id, since)).where(c.tenant_id == tenant_id)
    found = begun.cte("callers", recursive=True)
    again = select(found.c.customer_id, first(found.c.customer_id, following(found.c["at"])))
    found = found.union_all(again.where(found.c["at"].is_not(None)))
    waiting = select(u.customer_id, u.created_at.label("at")).where(
        u.settled_at >= await rolled_until(connection),
        u.tenant_id + 0 == tenant_id,
        u.created_at >= since,
        u.created_at < until,
    )
    return union_all(select(found).where(found.c["at"].is_not(None)), waiting)
