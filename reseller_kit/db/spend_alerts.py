"""What customers want to be told of their spending. Sends nothing; `flows.spend_alerts` decides when."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, Select, cast, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .kept import kept

Period = Literal["day", "month"]


class SpendAlert(Struct, frozen=True, kw_only=True):
    """A mail that is wanted when the spending of a period reaches a threshold (nano-USD)."""

    id: str
    customer_id: str
    period: Period
    threshold_nano: int
    created_at: int


class Reached(Struct, frozen=True, kw_only=True):
    """An alert whose threshold was reached, and whom to tell how much was spent."""

    id: str
    customer_id: str
    email: str
    threshold_nano: int
    spent_nano: int


async def of_customer(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[SpendAlert]:
    """The customer's alerts, the lowest threshold first."""
    rows = await connection.execute(*_of_customer(tenant_id, customer_id))
    return [SpendAlert(**row) for row in rows.mappings()]


@kept
def _of_customer(tenant_id: int, customer_id: str) -> Select[Any]:
    c = t.spend_alert.c
    statement = select(*(c[name] for name in SpendAlert.__struct_fields__))
    statement = statement.where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    return statement.order_by(c.period, c.threshold_nano, c.id)


async def add(connection: AsyncConnection, tenant_id: int, alert: SpendAlert) -> None:
    """Store a new alert."""
    row = {name: getattr(alert, name) for name in SpendAlert.__struct_fields__}
    await connection.execute(insert(t.spend_alert).values(tenant_id=tenant_id, **row))


async def remove(connection: AsyncConnection, tenant_id: int, customer_id: str, alert_id: str) -> bool:
    """Drop one of the customer's alerts; whether there was one."""
    c = t.spend_alert.c
    found = delete(t.spend_alert).where(c.tenant_id == tenant_id, c.customer_id == customer_id, c.id == alert_id)
    return bool((await connection.execute(found)).rowcount)


async def reached(connection: AsyncConnection, tenant_id: int, period: Period, started_at: int) -> list[Reached]:
    """The tenant's alerts whose threshold the period that began then (µs) has reached, and that were not told yet."""
    c, r, owner = t.spend_alert.c, t.usage_rollup.c, t.customer.c
    spent = cast(func.sum(r.retail_nano), BigInteger)
    same_customer = (owner.id == c.customer_id) & (owner.tenant_id == c.tenant_id)
    calls = (r.tenant_id == c.tenant_id) & (r.customer_id == c.customer_id) & (r.quarter_at >= started_at)
    statement = (
        select(c.id, c.customer_id, owner.email, c.threshold_nano, spent.label("spent_nano"))
        .select_from(t.spend_alert.join(t.customer, same_customer).join(t.usage_rollup, calls))
        .where(c.tenant_id == tenant_id, c.period == period, _untold(c.told_period_at, started_at))
        .group_by(c.id, c.customer_id, owner.email, c.threshold_nano)
        .having(spent >= c.threshold_nano)
        .order_by(c.id)
    )
    return [Reached(**row) for row in (await connection.execute(statement)).mappings()]


async def note_told(connection: AsyncConnection, tenant_id: int, alert_id: str, started_at: int) -> bool:
    """Write down that an alert was told for the period; False when another process did, or it is gone."""
    c = t.spend_alert.c
    statement = update(t.spend_alert).where(
        c.tenant_id == tenant_id, c.id == alert_id, _untold(c.told_period_at, started_at)
    )
    return bool((await connection.execute(statement.values(told_period_at=started_at))).rowcount)


def _untold(told: ColumnElement[int | None], started_at: int) -> ColumnElement[bool]:
    return or_(told.is_(None), told < started_at)
