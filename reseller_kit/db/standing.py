"""How a storefront stands, for its team's first page: counts, and which first steps really happened. Reads only."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, Text, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.abuse import WAITING
from . import tables as t

PRICES_KEPT: Final = "prices.keep"
"""The action of a team that looked at its prices and left them as they were."""
_TEAM: Final = ("member:", "token:")
_TO_DECIDE: Final = ("review", "duplicate_paid", "activation_failed")


class Standing(Struct, frozen=True, kw_only=True):
    """Counts as of now. `fresh`: customers since a moment; `orders`, `reports`: those that somebody must decide on."""

    customers: int
    fresh: int
    orders: int
    cases: int
    reports: int


class Steps(Struct, frozen=True):
    """What has happened of a storefront's first steps. `prices`: the team set its prices, or kept those it found."""

    domain: bool
    package: bool
    customer: bool
    paid: bool
    called: bool
    prices: bool


async def standing(connection: AsyncConnection, tenant_id: int, *, since: int) -> Standing:
    """The tenant's; `since` in µs."""
    customer, order, case, report = t.customer.c, t.purchase_order.c, t.support_case.c, t.abuse_report.c
    there = (customer.tenant_id == tenant_id, customer.status != "deleted")
    waiting = ((order.state == "checkout_open") & (order.provider == "manual")) | order.state.in_(_TO_DECIDE)
    statement = select(
        _count(t.customer, *there),
        _count(t.customer, *there, customer.created_at >= since),
        _count(t.purchase_order, order.tenant_id == tenant_id, waiting),
        _count(t.support_case, case.tenant_id == tenant_id, case.state == "open"),
        _count(t.abuse_report, report.tenant_id == tenant_id, report.state.in_(WAITING)),
    )
    row = (await connection.execute(statement)).one()
    return Standing(customers=row[0], fresh=row[1], orders=row[2], cases=row[3], reports=row[4])


async def steps(connection: AsyncConnection, tenant_id: int) -> Steps:
    """The tenant's, in one statement that ends at the first row of each kind."""
    domain, package, customer = t.domain.c, t.package.c, t.customer.c
    order, record, log = t.purchase_order.c, t.usage_record.c, t.audit_log.c
    statement = select(
        exists().where(domain.tenant_id == tenant_id, domain.state == "live", domain.role == "storefront"),
        exists().where(package.tenant_id == tenant_id, package.status == "offered"),
        exists().where(customer.tenant_id == tenant_id),
        exists().where(order.tenant_id == tenant_id, order.paid_at.is_not(None)),
        exists().where(record.tenant_id == tenant_id),
        exists().where(
            log.tenant_id == tenant_id,
            or_(*(log.actor.startswith(actor) for actor in _TEAM)),
            or_(log.action == PRICES_KEPT, cast(log.after, Text).contains('"pricing.')),
        ),
    )
    row = (await connection.execute(statement)).one()
    return Steps(*(bool(value) for value in row))


def _count(table: Table, *conditions: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()
