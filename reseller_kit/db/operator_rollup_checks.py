"""What the audit reads of rollups and archives. Judges nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, func, literal_column, or_, select, tuple_, union_all

from . import tables as t
from .operator_audit import Connection, of_tenant
from .rollup_sums import GRAIN

TOTALS: Final = ("calls", "retail_nano", "wholesale_nano", "cost_nano")
"""What is compared with archives too, of which there is nothing else."""

_CHUNK: Final = 5_000
_FEW: Final = 200
_r = t.usage_rollup.c


async def rollup_chunks(connection: Connection, tenant_id: int | None) -> AsyncIterator[Sequence[Row[Any]]]:
    """Every row of the rollups, its grain and then `SUMMED`, some thousands at a time."""
    grain = [_r[name] for name in GRAIN]
    columns = select(*grain, *(_r[name] for name in t.SUMMED))
    statement = of_tenant(columns, t.usage_rollup, tenant_id).order_by(*grain).limit(_CHUNK)
    rows = (await connection.execute(statement)).all()
    while rows:
        yield rows
        rows = (await connection.execute(statement.where(tuple_(*grain) > tuple_(*rows[-1][: len(grain)])))).all()


async def archived_totals(connection: Connection, tenant_id: int | None) -> dict[int, tuple[int, ...]]:
    """`TOTALS` of archived usage records, by tenant."""
    w = t.archived_usage.c
    sums = select(w.tenant_id, *(func.sum(w[name]) for name in TOTALS))
    rows = await connection.execute(of_tenant(sums, t.archived_usage, tenant_id).group_by(w.tenant_id))
    return {row[0]: tuple(map(int, row[1:])) for row in rows}


async def totals_apart(connection: Connection, tenant_id: int | None) -> list[str]:
    """Customers whose `usage_total` does not sum up to their rollups, by quarter or by day; some hundred at most."""
    found = await connection.scalars(apart(tenant_id))
    return sorted(set(found))


def apart(tenant_id: int | None) -> Select[Any]:
    """Those customers.

    Each table is summed by customer by itself, in the order that it has, and only then compared: what SQLite sorts it
    keeps in memory, and of both tables together that would be gigabytes.
    """
    s = t.usage_total.c
    names = ("calls", "retail_nano")
    owner = (_r.tenant_id, _r.customer_id)
    rolled = select(*owner, *((-func.sum(_r[name])).label(name) for name in names)).where(_r.customer_id != "")
    sums = of_tenant(rolled, t.usage_rollup, tenant_id).group_by(*owner).cte("rolled")
    stated = select(s.tenant_id, s.customer_id, s.grain, *(func.sum(s[name]).label(name) for name in names))
    parts = [of_tenant(stated, t.usage_total, tenant_id).group_by(s.tenant_id, s.customer_id, s.grain)]
    for grain in ("quarter", "day"):
        # nosemgrep: sql-put-together – the two grains of the line above
        label: ColumnElement[str] = literal_column(f"'{grain}'")
        parts.append(select(sums.c.tenant_id, sums.c.customer_id, label, *(sums.c[name] for name in names)))
    both = union_all(*parts).subquery().c
    statement = select(both.customer_id).group_by(both.tenant_id, both.customer_id, both.grain)
    differing = or_(*(func.sum(both[name]) != 0 for name in names))
    return statement.having(differing).order_by(both.customer_id).limit(_FEW)
