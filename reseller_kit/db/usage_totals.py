"""Sums of one customer's usage for its own pages, at retail: over time, and by model or key. Reads only.

A span of time is read from `usage_total` in whole quarters, or in whole days in UTC, with what lies before the first
and behind the last of them from the rollups; and from the records that are in neither yet. So a year is some hundred
or thousand rows, whatever the number of calls.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct, structs
from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, case, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.times import DAY_US
from ..core.usage import INPUT_TOKENS
from . import tables as t
from .rollup_sums import total, total_rows

_KEPT: Final = 64
"""Statements of another shape that are kept made: making one takes longer than asking it."""


class Narrowed(Struct, frozen=True, kw_only=True):
    """A customer's calls of [since, until) in µs, both on quarters of an hour; of one model or key if given."""

    customer_id: str
    since: int
    until: int
    model: str | None = None
    key_id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the customer's calls then."""
        return self.model is None and self.key_id is None


class Total(Struct, frozen=True, kw_only=True):
    """What calls came to. `number`: stretches since 1970 by the clocks of a zone; `name`: a model or key."""

    calls: int
    input_tokens: int
    output_tokens: int
    retail_nano: int
    number: int = 0
    name: str = ""


async def over_time(
    connection: AsyncConnection,
    tenant_id: int,
    wanted: Narrowed,
    mark: int,
    offsets: Sequence[tuple[int, int]],
    width: int,
) -> list[Total]:
    """Sums by stretches of `width` µs of a zone's clocks, in order; one without calls has none.

    `mark`: until when everything is in the rollups (`rollups.rolled_until`); `offsets`: the zone's
    (`core.days.offsets`).
    """
    values = _values(tenant_id, wanted, mark) | {"width": width}
    for number, (since, value) in enumerate(offsets):
        values |= {f"since_{number}": since, f"offset_{number}": value}
    rows = await connection.execute(_over_time(_shape(wanted), len(offsets)), values)
    return [Total(**row) for row in rows.mappings()]


async def by_name(
    connection: AsyncConnection, tenant_id: int, wanted: Narrowed, mark: int, by: Literal["model", "key_id"]
) -> list[Total]:
    """Sums by model as asked for or by key id, the dearest first; `mark` as above."""
    first, last = -(-wanted.since // DAY_US) * DAY_US, wanted.until // DAY_US * DAY_US
    values = _values(tenant_id, wanted, mark)
    if first < last:
        values |= {"first": first, "last": last}
    rows = await connection.execute(_by_name(_shape(wanted), by, has_days=first < last), values)
    return [Total(**row) for row in rows.mappings()]


def _shape(wanted: Narrowed) -> frozenset[str]:
    """What narrows it: statements of one shape differ in their values alone."""
    return frozenset(name for name in ("model", "key_id") if getattr(wanted, name) is not None)


def _values(tenant_id: int, wanted: Narrowed, mark: int) -> dict[str, Any]:
    """What `_places` leaves open."""
    given = {name: value for name, value in structs.asdict(wanted).items() if value is not None}
    return {"tenant_id": tenant_id, "mark": mark, **given}


def _places(shape: frozenset[str]) -> tuple[Any, Any, Any]:
    """A tenant, what is wanted of it and the mark, each value a place in a statement that is made once."""
    texts: dict[str, Any] = {name: bindparam(name, type_=Text()) for name in ("customer_id", *shape)}
    return _number("tenant_id"), Narrowed(since=_number("since"), until=_number("until"), **texts), _number("mark")


def _number(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


@functools.lru_cache(maxsize=_KEPT)
def _over_time(shape: frozenset[str], offsets: int) -> Select[Any]:
    tenant_id, wanted, mark = _places(shape)
    rolled = _quarters(tenant_id, wanted) if wanted.whole else _rolled(tenant_id, wanted, wanted.since, wanted.until)
    both = union_all(rolled, _waiting(tenant_id, wanted, mark)).subquery().c
    changes = [(both.at >= _number(f"since_{at}"), _number(f"offset_{at}")) for at in reversed(range(offsets))]
    number = ((both.at + case(*changes, else_=_number("offset_0"))) // _number("width")).label("number")
    statement = select(number, *(total(both[name]).label(name) for name in t.TOTALLED))
    return statement.group_by(literal_column("number")).order_by(literal_column("number"))


@functools.lru_cache(maxsize=_KEPT)
def _by_name(shape: frozenset[str], by: str, *, has_days: bool) -> Select[Any]:
    tenant_id, wanted, mark = _places(shape)
    parts = [_waiting(tenant_id, wanted, mark)]
    if has_days:
        first, last = _number("first"), _number("last")
        parts += [
            _days(tenant_id, wanted, first, last),
            _rolled(tenant_id, wanted, wanted.since, first),
            _rolled(tenant_id, wanted, last, wanted.until),
        ]
    else:
        parts.append(_rolled(tenant_id, wanted, wanted.since, wanted.until))
    both = union_all(*parts).subquery().c
    spent = total(both.retail_nano)
    sums = [total(both[name]).label(name) for name in t.TOTALLED]
    statement = select(both[by].label("name"), *sums).group_by(both[by])
    return statement.order_by(spent.desc(), total(both.calls).desc(), both[by])


def _quarters(tenant_id: int, wanted: Narrowed) -> Select[Any]:
    c = t.usage_total.c
    statement = select(c.at, c.model, c.key_id, *(c[name] for name in t.TOTALLED))
    owned = (c.tenant_id == tenant_id, c.customer_id == wanted.customer_id, c.grain == literal_column("'quarter'"))
    return statement.where(*owned, c.at >= wanted.since, c.at < wanted.until)


def _days(tenant_id: int, wanted: Narrowed, since: int, until: int) -> Select[Any]:
    c = t.usage_total.c
    statement = select(c.at, c.model, c.key_id, *(c[name] for name in t.TOTALLED))
    owned = (c.tenant_id == tenant_id, c.customer_id == wanted.customer_id, c.grain == literal_column("'day'"))
    return statement.where(*owned, c.at >= since, c.at < until, *_narrow(c.model, c.key_id, wanted))


def _rolled(tenant_id: int, wanted: Narrowed, since: int, until: int) -> Select[Any]:
    r = t.usage_rollup.c
    read = sum((r[name] for name in INPUT_TOKENS[1:]), r[INPUT_TOKENS[0]])
    sums = (r.calls, read.label("input_tokens"), r.output.label("output_tokens"), r.retail_nano)
    statement = select(r.quarter_at.label("at"), r.model, r.key_id, *sums)
    owned = (r.tenant_id == tenant_id, r.customer_id == wanted.customer_id)
    return statement.where(*owned, r.quarter_at >= since, r.quarter_at < until, *_narrow(r.model, r.key_id, wanted))


def _waiting(tenant_id: int, wanted: Narrowed, rolled: int) -> Select[Any]:
    """As in `rollups`: found by when they were settled, never by whose they are, of which there may be millions."""
    u = t.usage_record.c
    rows = total_rows(
        u.settled_at >= rolled,
        u.tenant_id + 0 == tenant_id,
        u.customer_id.concat("") == wanted.customer_id,
        u.created_at >= wanted.since,
        u.created_at < wanted.until,
        *_narrow(u.model.concat(""), u.key_id.concat(""), wanted),
    ).c
    return select(rows.quarter_at.label("at"), rows.model, rows.key_id, *(rows[name] for name in t.TOTALLED))


def _narrow(model: ColumnElement[str], key: ColumnElement[str], wanted: Narrowed) -> list[ColumnElement[bool]]:
    pairs = ((model, wanted.model), (key, wanted.key_id))
    return [column == value for column, value in pairs if value is not None]
