"""Use cases of spending alerts: a customer asks for them, and a chore tells once a day or month when one is reached.

Days and months are those of the tenant's time zone. What was spent is what the rollups say, some seconds behind the
latest call; an alert is told within about a minute and stops no call: a key's limit does that.
"""

from __future__ import annotations

from typing import Final, get_args
from zoneinfo import ZoneInfo

import msgspec

from ..core.days import day_of, start_of
from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.money import format_amount
from ..db import operator_alerts, outbox, spend_alerts
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_alerts import AlertingTenant
from ..db.spend_alerts import Period, Reached, SpendAlert
from . import events

MAX_ALERTS: Final = 10
"""Most alerts of one customer."""
KIND: Final = "spend_alert"


async def list_alerts(db: Database, tenant_id: int, customer_id: str) -> list[SpendAlert]:
    """The customer's alerts."""
    async with db.read(tenant_id) as connection:
        return await spend_alerts.of_customer(connection, tenant_id, customer_id)


async def add_alert(db: Database, tenant_id: int, customer_id: str, *, period: str, threshold: int) -> SpendAlert:
    """A mail for each day or month in which spending reaches `threshold` nano-USD.

    Raises InvalidRequest for what is no period or no amount, Conflict for one alert too many.
    """
    if period not in get_args(Period):
        raise InvalidRequest("An alert is for a day or a month.", param="period", fix="Choose day or month.")
    if threshold <= 0:
        raise InvalidRequest("The amount must be above 0.", param="threshold", fix='Give an amount such as "10.00".')
    alert = SpendAlert(
        id=new_id("alr"),
        customer_id=customer_id,
        period=msgspec.convert(period, Period),
        threshold_nano=threshold,
        created_at=now_us(),
    )
    async with db.write(tenant_id) as connection:
        if len(await spend_alerts.of_customer(connection, tenant_id, customer_id)) >= MAX_ALERTS:
            raise Conflict("There are as many alerts as one account may have.", fix="Remove one first.")
        await spend_alerts.add(connection, tenant_id, alert)
    return alert


async def remove_alert(db: Database, tenant_id: int, customer_id: str, alert_id: str) -> None:
    """Drop one of the customer's alerts. Raises NotFound for an unknown one and for anybody else's."""
    async with db.write(tenant_id) as connection:
        known = is_public_id(alert_id, "alr")
        if not known or not await spend_alerts.remove(connection, tenant_id, customer_id, alert_id):
            raise NotFound("There is no such alert.")


async def watch_spending(db: Database) -> int:
    """Look at every customer with alerts; how many mails were put out. Safe in several processes."""
    async with db.read(EVERY_TENANT) as connection:
        tenants = await operator_alerts.alerting_tenants(connection)
    told = 0
    for tenant in tenants:
        for period in get_args(Period):
            told += await _watch(db, tenant, period)
    return told


async def _watch(db: Database, tenant: AlertingTenant, period: Period) -> int:
    zone, now = ZoneInfo(tenant.timezone), now_us()
    today = day_of(now, zone)
    started_at = start_of(today if period == "day" else today.replace(day=1), zone)
    async with db.read(tenant.id) as connection:
        reached = await spend_alerts.reached(connection, tenant.id, period, started_at)
    return sum([await _tell(db, tenant.id, alert, period, started_at, now) for alert in reached])


async def _tell(db: Database, tenant_id: int, alert: Reached, period: Period, started_at: int, now: int) -> bool:
    payload = {
        "period": period,
        "threshold": format_amount(alert.threshold_nano),
        "spent": format_amount(alert.spent_nano),
    }
    async with db.write(tenant_id) as connection:
        if not await spend_alerts.note_told(connection, tenant_id, alert.id, started_at):
            return False
        data = {
            "customer": alert.customer_id,
            "kind": period,
            "threshold": payload["threshold"],
            "value": payload["spent"],
        }
        await events.tell(connection, tenant_id, "usage.threshold_reached", data)
        return await outbox.add(
            connection,
            tenant_id,
            kind=KIND,
            recipient=alert.email,
            payload=payload,
            dedupe=f"{KIND}:{alert.id}:{started_at}",
            now=now,
        )
