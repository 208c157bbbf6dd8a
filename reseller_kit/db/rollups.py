"""Sums of a tenant's usage for charts: from the rollups, and from the records that are not in them yet. Reads only."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct, structs
from sqlalchemy import CompoundSelect, Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .rollup_sums import record_rows, total

Grouping = Literal["quarter", "model", "key"]
_ROLLED_UNTIL: Final = select(t.rollup_mark.c.at).where(t.rollup_mark.c.name == "rolled")
_COLUMNS: Final = {"quarter": "quarter_at", "model": "model", "key": "key_id"}


class Sums(Struct, frozen=True, kw_only=True):
    """What calls came to: their number, quantities by usage class, amounts in nano-USD."""

    calls: int = 0
    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    input_audio: int = 0
    output_audio: int = 0
    input_image: int = 0
    output_image: int = 0
    seconds: int = 0
    characters: int = 0
    images: int = 0
    request: int = 0
    tool_call: int = 0
    retail_nano: int = 0
    wholesale_nano: int = 0
    cost_nano: int = 0

    def __add__(self, other: Sums) -> Sums:
        names = self.__struct_fields__
        return Sums(**{name: getattr(self, name) + getattr(other, name) for name in names})


class SumFilter(Struct, frozen=True):
    """Whose calls, and from when until when (µs, both on quarters of an hour); None is everyone, or until now."""

    customer_id: str | None
    since: int
    until: int | None = None
    model: str | None = None
    key_id: str | None = None
    """Of one model as asked for, of one key; of a customer's calls alone."""


async def sums(
    connection: AsyncConnection, tenant_id: int, wanted: SumFilter, by: Grouping
) -> list[tuple[int | str, Sums]]:
    """A tenant's sums by quarter of an hour (its start in µs), model as asked for, or key id; in that order."""
    mark = await rolled_until(connection)
    both = union_all(_rolled(tenant_id, wanted, by), _waiting(tenant_id, wanted, by, mark)).subquery()
    group = both.c[_COLUMNS[by]]
    statement = select(group.label("name"), *(total(both.c[name]).label(name) for name in t.SUMMED))
    rows = await connection.execute(statement.group_by(group).order_by(group))
    return [(row["name"], Sums(**{name: row[name] for name in t.SUMMED})) for row in rows.mappings()]


async def quarters(
    connection: AsyncConnection, tenant_id: int, wanted: SumFilter, before: int, limit: int
) -> list[tuple[int, int]]:
    """(start, calls) of the latest quarters of an hour before `before` in which there were such calls, newest first."""
    mark = await rolled_until(connection)
    narrowed = structs.replace(wanted, until=before if wanted.until is None else min(before, wanted.until))
    found: dict[int, int] = {}
    for rows in (_rolled(tenant_id, narrowed, "quarter"), _waiting(tenant_id, narrowed, "quarter", mark)):
        each = rows.subquery().c
        counted = select(each.quarter_at, total(each.calls).label("calls")).group_by(each.quarter_at)
        for row in await connection.execute(counted.order_by(each.quarter_at.desc()).limit(limit)):
            found[row.quarter_at] = found.get(row.quarter_at, 0) + row.calls
    return sorted(found.items(), reverse=True)[:limit]


def storefront_rows(tenant_id: int, wanted: SumFilter, rolled: int) -> CompoundSelect[Any]:
    """The rows behind a storefront's sums: of the rollups, and of the records settled since `rolled`.

    Columns: quarter_at, model and what is summed.
    """
    r = t.usage_rollup.c
    within = (r.tenant_id == tenant_id, r.customer_id == "", r.quarter_at >= wanted.since, r.quarter_at < wanted.until)
    u = t.usage_record.c
    since = (u.created_at >= wanted.since, u.created_at < wanted.until)
    rows = record_rows(u.settled_at >= rolled, u.tenant_id + 0 == tenant_id, *since).c
    names = ("quarter_at", "model", *t.SUMMED)
    return union_all(select(*(r[name] for name in names)).where(*within), select(*(rows[name] for name in names)))


async def rolled_until(connection: AsyncConnection) -> int:
    """Settles stamped before this moment (µs) are in the rollups."""
    return int(await connection.scalar(_ROLLED_UNTIL) or 0)


def _rolled(tenant_id: int, wanted: SumFilter, by: Grouping) -> Select[Any]:
    r, c = t.usage_rollup.c, t.customer.c
    statement = select(r[_COLUMNS[by]], *(r[name] for name in t.SUMMED))
    within = r.quarter_at >= wanted.since
    if wanted.until is not None:
        within &= r.quarter_at < wanted.until
    for column, value in ((r.model, wanted.model), (r.key_id, wanted.key_id)):
        if value is not None:
            within &= column == value
    if wanted.customer_id is not None or by != "key":
        return statement.where(r.tenant_id == tenant_id, r.customer_id == (wanted.customer_id or ""), within)
    # Customer by customer, whose rows of the time lie together: not all that the storefront ever sold. It is an outer
    # join, and its check for a row is in disguise, so that no database begins with the rollups.
    each = (r.tenant_id == c.tenant_id) & (r.customer_id == c.id) & within
    statement = statement.select_from(t.customer.outerjoin(t.usage_rollup, each))
    return statement.where(c.tenant_id == tenant_id, func.coalesce(r.calls, 0) > 0)


def _waiting(tenant_id: int, wanted: SumFilter, by: Grouping, rolled: int) -> Select[Any]:
    """The few records that were settled since: found by that, not by whose they are, of which there may be millions.

    Hence nothing here compares a plain column of another index: a plan for any customer would take that of a busy one.
    """
    u = t.usage_record.c
    conditions = [u.settled_at >= rolled, u.tenant_id + 0 == tenant_id, u.created_at >= wanted.since]
    if wanted.customer_id is not None:
        conditions.append(u.customer_id.concat("") == wanted.customer_id)
    if wanted.until is not None:
        conditions.append(u.created_at < wanted.until)
    for column, value in ((u.model, wanted.model), (u.key_id, wanted.key_id)):
        if value is not None:
            conditions.append(column.concat("") == value)
    rows = record_rows(*conditions).c
    return select(rows[_COLUMNS[by]], *(rows[name] for name in t.SUMMED))
