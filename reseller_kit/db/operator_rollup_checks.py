"""What the audit reads of rollups and archives. Runs no check but by statement; judges nothing.

The database may keep what it sorts in memory, so nothing here groups more than a row a tenant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import RowMapping, func, or_, select, tuple_, union_all

from . import tables as t
from .operator_audit import Check, Connection, Rows, of_tenant
from .operator_checks import Scope
from .rollup_sums import GRAIN

_CHUNK: Final = 2_000

_u, _m, _r = t.usage_record.c, t.rollup_mark.c, t.usage_rollup.c


def rollup_totals_check(tenant_id: Scope, *, first_id: str) -> Check:
    """Calls with ids before `first_id` are archived: of them only what they sum to can be compared."""
    return Check(
        code="rollup_differs_from_totals",
        invariant=8,
        message="The storefront's rollups are not the sum of its usage records and archives.",
        statement=_tenants(tenant_id, first_id=first_id),
    )


async def rollup_chunks(connection: Connection, tenant_id: Scope) -> AsyncIterator[Sequence[RowMapping]]:
    """Every row of the rollups, some thousands at a time."""
    grain = [_r[name] for name in GRAIN]
    statement = of_tenant(select(t.usage_rollup), t.usage_rollup, tenant_id).order_by(*grain).limit(_CHUNK)
    rows = (await connection.execute(statement)).mappings().all()
    while rows:
        yield rows
        last: list[Any] = [rows[-1][name] for name in GRAIN]
        rows = (await connection.execute(statement.where(tuple_(*grain) > tuple_(*last)))).mappings().all()


def _tenants(tenant_id: int | None, *, first_id: str) -> Rows:
    """Tenants whose rollups are not their records from `first_id` on plus what their archives hold."""
    names = ("calls", "retail_nano", "wholesale_nano", "cost_nano")
    r, o = t.usage_rollup, t.archived_usage
    rolled = select(_m.at).where(_m.name == "rolled").scalar_subquery()
    live = select(
        _u.tenant_id, func.count().label("calls"), *(func.sum(_u[name]).label(name) for name in names[1:])
    ).where(_u.id >= first_id, _u.settled_at < rolled)
    live = of_tenant(live, t.usage_record, tenant_id).group_by(_u.tenant_id)
    archived = of_tenant(select(o.c.tenant_id, *(o.c[name] for name in names)), o, tenant_id)
    stored = of_tenant(
        select(r.c.tenant_id, *((-r.c[name]).label(name) for name in names)).where(r.c.customer_id != ""), r, tenant_id
    )
    both = union_all(live, archived, stored).subquery("both")
    wrong = or_(*(func.sum(both.c[name]) != 0 for name in names))
    return select(both.c.tenant_id.label("ref")).group_by(both.c.tenant_id).having(wrong)
