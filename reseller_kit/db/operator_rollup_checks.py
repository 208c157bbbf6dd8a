"""The audit's checks of rollups and archives as statements, like those of `operator_checks`. Runs none of them."""

from __future__ import annotations

from sqlalchemy import func, or_, select, union_all

from . import tables as t
from .operator_audit import Rows, of_tenant
from .operator_checks import Check, Scope
from .rollup_sums import GRAIN, differing, record_rows, signed, summed

_u, _m = t.usage_record.c, t.rollup_mark.c


def rollup_checks(tenant_id: Scope, *, first_id: str, first_quarter: int) -> list[Check]:
    """Calls with ids before `first_id` are archived: before `first_quarter` (µs) only totals can be compared."""
    return [
        Check(
            code="rollup_differs_from_records",
            invariant=8,
            message="A quarter of an hour of this customer's calls was not rolled up as its usage records say.",
            statement=_buckets(tenant_id, first_id=first_id, first_quarter=first_quarter),
        ),
        Check(
            code="rollup_differs_within",
            invariant=8,
            message="The storefront's rollups are not the sum of its customers' rollups.",
            statement=_storefronts(tenant_id),
        ),
        Check(
            code="rollup_differs_from_totals",
            invariant=8,
            message="The storefront's rollups are not the sum of its usage records and archives.",
            statement=_tenants(tenant_id, first_id=first_id),
        ),
    ]


def _buckets(tenant_id: int | None, *, first_id: str, first_quarter: int) -> Rows:
    """Where rollups are not what their records sum to."""
    r = t.usage_rollup
    rolled = select(_m.at).where(_m.name == "rolled").scalar_subquery()
    records = record_rows(
        _u.id >= first_id,
        _u.created_at >= first_quarter,
        _u.settled_at < rolled,
        *([] if tenant_id is None else [_u.tenant_id == tenant_id]),
    )
    stored = of_tenant(select(r).where(r.c.customer_id != "", r.c.quarter_at >= first_quarter), r, tenant_id)
    return _disagreements(signed(records, 1), signed(stored.subquery("stored"), -1))


def _storefronts(tenant_id: int | None) -> Rows:
    """Where a storefront's own rows are not the sums of its customers' rows."""
    r = t.usage_rollup
    parts = of_tenant(select(r).where(r.c.customer_id != ""), r, tenant_id).subquery("parts")
    wholes = of_tenant(select(r).where(r.c.customer_id == ""), r, tenant_id).subquery("wholes")
    summed_parts = summed(parts, whole_storefront=True).subquery("summed_parts")
    return _disagreements(signed(summed_parts, 1), signed(wholes, -1), ref="tenant_id")


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


def _disagreements(one: Rows, other: Rows, ref: str = "customer_id") -> Rows:
    both = union_all(one, other).subquery("both")
    keys = [both.c[name] for name in GRAIN]
    return select(both.c[ref].label("ref"), *keys).group_by(*keys).having(differing(both))
