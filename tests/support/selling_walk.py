"""The console's part of the isolation walk: what insights count, a package of the past, a change of prices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import insert, select

from reseller_kit.core.ids import new_id
from reseller_kit.db import audit_log, insights, packages
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.insights import Stretch
from tests.support.shop_walk import add_order, package_id

Query = Callable[[Connection, int, Any], Awaitable[Any]]
ALWAYS = Stretch(0, 1 << 52, ((0, 0),))
ORDER = "ord_sold"


class _Buyer:
    def __init__(self, customer: Customer) -> None:
        self.customer = customer


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """A paid order that was given up once, a call that failed, a package of the past and a change of prices."""
    await add_order(connection, tenant_id, _Buyer(customer), ORDER, "sold")
    order = t.purchase_order.c
    await connection.execute(t.purchase_order.update().where(order.id == ORDER).values(paid_at=1))
    line = {"tenant_id": tenant_id, "order_id": ORDER, "event": "lapse", "before": "draft", "after": "lapsed"}
    await connection.execute(insert(t.order_event).values({**line, "actor": "test", "facts": {}, "created_at": 1}))
    call = (await connection.execute(select(t.usage_record).limit(1))).mappings().one()
    await connection.execute(insert(t.usage_record).values({**call, "id": new_id("req"), "status": "failed"}))
    fact = {"provider": "paddle", "kind": "payment", "ref": "txn_selling", "status": "failed", "state": {}}
    times = dict.fromkeys(("occurred_at", "created_at", "changed_at"), 1)
    await connection.execute(insert(t.payment_fact).values({**fact, **times, "tenant_id": tenant_id}))
    known = (await connection.execute(select(t.customer).where(t.customer.c.id == customer.id))).mappings().one()
    early = {**known, "id": "cus_early", "email": "early@example.com", "created_at": 1}
    await connection.execute(insert(t.customer).values(early))
    offered = select(t.package).where(t.package.c.id == await package_id(connection))
    sold = (await connection.execute(offered)).mappings().one()
    past = {name: value for name, value in sold.items() if name != "id"}
    await connection.execute(insert(t.package).values({**past, "code": "past", "status": "withdrawn"}))
    before = {"pricing.markup": "40%"}
    await audit_log.record(connection, tenant_id, "test", "edit.update", "tenant", "ours", before=before)


async def callers(connection: Connection, tenant_id: int) -> set[str]:
    found = await insights.callers(connection, tenant_id, (ALWAYS.since, ALWAYS.until), ALWAYS.following)
    return {row.customer_id for row in await connection.execute(found)}


READS: dict[str, Query] = {
    "audit_log.touching": lambda c, tenant, _: audit_log.touching(c, tenant, ("pricing.",), 10, None),
    "insights.active_by_day": lambda c, tenant, _: insights.active_by_day(c, tenant, ALWAYS),
    "insights.callers": lambda c, tenant, _: callers(c, tenant),
    "insights.cohorts": lambda c, tenant, _: insights.cohorts(c, tenant, (0, 1 << 52)),
    "insights.events_by_day": lambda c, tenant, _: insights.events_by_day(c, tenant, ALWAYS, ("lapse",)),
    "insights.failed_calls": lambda c, tenant, _: insights.failed_calls(c, tenant, ALWAYS),
    "insights.failed_payments": lambda c, tenant, _: insights.failed_payments(c, tenant, ALWAYS),
    "insights.latencies": lambda c, tenant, _: insights.latencies(c, tenant, ALWAYS, 10),
    "insights.money_by_day": lambda c, tenant, _: insights.money_by_day(c, tenant, ALWAYS),
    "insights.money_by_model": lambda c, tenant, _: insights.money_by_model(c, tenant, ALWAYS),
    "insights.new_by_day": lambda c, tenant, _: insights.new_by_day(c, tenant, ALWAYS),
    "insights.sales_by_day": lambda c, tenant, _: insights.sales_by_day(c, tenant, ALWAYS),
    "packages.past": lambda c, tenant, _: packages.past(c, tenant),
    "packages.sold": lambda c, tenant, _: packages.sold(c, tenant),
}
WRITES: dict[str, Query] = {}
