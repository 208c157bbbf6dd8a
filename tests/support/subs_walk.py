"""The subscriptions' part of the isolation walk: one of them, a wish to be told of low credit, and every query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select, update

from reseller_kit.core.order import STATES
from reseller_kit.db import credit_alerts, sales, statements, subscriptions
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]
SUBSCRIPTION = "sub_walk"
ORDER = "ord_walk"
LATER = 1 << 52


async def add(connection: Connection, tenant_id: int, subscription_id: str, order_id: str) -> None:
    order = (await connection.execute(select(t.purchase_order).where(t.purchase_order.c.id == ORDER))).one()
    values = {
        "id": subscription_id,
        "customer_id": order.customer_id,
        "order_id": order_id,
        "package_id": order.package_id,
        "state": "active",
        "provider": "manual",
        "provider_ref": subscription_id,
        "anchor_at": 1,
        "number": 0,
        "period_starts_at": 0,
        "period_ends_at": 1,
        "told_at": 0,
        "created_at": 1,
        "changed_at": 1,
    }
    await subscriptions.add(connection, tenant_id, values)


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:  # as the others
    """A subscription whose next period is the shop's order."""
    await add(connection, tenant_id, SUBSCRIPTION, ORDER)
    await subscriptions.bind_order(connection, tenant_id, ORDER, subscription_id=SUBSCRIPTION, starts_at=1, ends_at=2)
    await credit_alerts.choose(connection, tenant_id, customer.id, [5], 1)
    row = {"tenant_id": tenant_id, "customer_id": customer.id, "kind": "walk", "created_at": 1}
    await connection.execute(t.mail_opt_out.insert().values(row))
    bought = t.purchase_order.c
    await connection.execute(update(t.purchase_order).where(bought.id == ORDER).values(lot_id="lot_walk"))


READS: dict[str, Query] = {
    "credit_alerts.find": lambda c, tenant, x: credit_alerts.find(c, tenant, x.customer.id),
    "credit_alerts.is_unwanted": lambda c, tenant, x: credit_alerts.is_unwanted(c, tenant, x.customer.id, "walk"),
    "credit_alerts.latest_purchase": lambda c, tenant, x: credit_alerts.latest_purchase(c, tenant, x.customer.id),
    "statements.balance_at": lambda c, tenant, x: statements.balance_at(c, tenant, x.wallet, LATER),
    "statements.by_code": lambda c, tenant, _: statements.by_code(c, tenant, ("customer_wallet",), 0, LATER),
    "statements.calls_by_model": lambda c, tenant, x: statements.calls_by_model(c, tenant, x.wallet, 0, LATER),
    "statements.moved_by": lambda c, tenant, x: statements.moved_by(c, tenant, x.wallet, "grant", "", 0),
    "statements.movements": lambda c, tenant, x: statements.movements(c, tenant, x.wallet, 0, LATER),
    "sales.sold": lambda c, tenant, _: sales.sold(c, tenant, 0, LATER),
    "statements.sales": lambda c, tenant, _: statements.sales(c, tenant, 0, LATER),
    "subscriptions.find": lambda c, tenant, _: subscriptions.find(c, tenant, SUBSCRIPTION),
    "subscriptions.of_order": lambda c, tenant, _: subscriptions.of_order(c, tenant, ORDER),
    "subscriptions.of_ref": lambda c, tenant, _: subscriptions.of_ref(c, tenant, "manual", SUBSCRIPTION),
    "subscriptions.covered_until": lambda c, tenant, _: subscriptions.covered_until(c, tenant, SUBSCRIPTION),
    "subscriptions.orders_in": lambda c, tenant, _: subscriptions.orders_in(c, tenant, SUBSCRIPTION, STATES),
    "subscriptions.orders_of": lambda c, tenant, _: subscriptions.orders_of(c, tenant, SUBSCRIPTION, 1),
    "subscriptions.page": lambda c, tenant, _: subscriptions.page(c, tenant, 10, None),
    "subscriptions.waiting_orders": lambda c, tenant, _: subscriptions.waiting_orders(c, tenant, [SUBSCRIPTION]),
}
WRITES: dict[str, Query] = {
    "credit_alerts.choose": lambda c, tenant, x: credit_alerts.choose(c, tenant, x.customer.id, [9], 9),
    "credit_alerts.lock": lambda c, tenant, x: credit_alerts.lock(c, tenant, x.customer.id, 9),
    "credit_alerts.note_told": lambda c, tenant, x: credit_alerts.note_told(c, tenant, x.customer.id, [9], 9),
    "subscriptions.add": lambda c, tenant, _: add(c, tenant, "sub_new", ORDER),
    "subscriptions.bind_order": lambda c, tenant, _: subscriptions.bind_order(
        c, tenant, ORDER, subscription_id="sub_x", starts_at=5, ends_at=6
    ),
    "subscriptions.change": lambda c, tenant, _: subscriptions.change(c, tenant, SUBSCRIPTION, now=9, state="ended"),
}
