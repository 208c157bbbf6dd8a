"""Whose customers want to be told of their spending, across tenants. Reads only."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from . import tables as t


class AlertingTenant(Struct, frozen=True):
    """A tenant with alerts, and the zone that its days and months are of."""

    id: int
    timezone: str


async def alerting_tenants(connection: Connection) -> list[AlertingTenant]:
    """Every tenant with a customer who has an alert."""
    having = select(t.spend_alert.c.tenant_id)
    statement = select(t.tenant.c.id, t.tenant.c.timezone).where(t.tenant.c.id.in_(having)).order_by(t.tenant.c.id)
    return [AlertingTenant(row.id, row.timezone) for row in await connection.execute(statement)]
