"""Each event is put out once with its fact, to who chose it, and says no more than its members."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from reseller_kit.core.hook import EVENTS
from reseller_kit.core.subscription import GRACE_US
from reseller_kit.core.times import DAY_US
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.hook_endpoints import HookEndpoint, add
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.credit_alerts import choose_thresholds, watch_credit
from reseller_kit.flows.keys import KeyTerms, create_key, revoke_key, rotate_key
from reseller_kit.flows.low_balance import watch_balances
from reseller_kit.flows.orders import lapse_orders
from reseller_kit.flows.spend_alerts import add_alert, watch_spending
from reseller_kit.flows.subscriptions import cancel_subscription, follow_up, resume_subscription
from reseller_kit.flows.tenants import resume_tenant, suspend_tenant
from reseller_kit.flows.unlock import unlock
from tests.integration.test_credit_alerts import spender, take
from tests.integration.test_low_balance import reseller, set_balance
from tests.integration.test_portal_keys import spend
from tests.integration.test_subscriptions import Club, club
from tests.support.factories import SECRET_KEY, make_call, make_customer, make_key, make_tenant
from tests.support.ledger import make_shop
from tests.support.paying import paying_shop
from tests.support.payments import adjusted

__all__ = ["club"]


async def listening(db: Database, tenant_id: int) -> None:
    """An endpoint for everything."""
    endpoint = HookEndpoint(
        id=f"whe_{tenant_id}",
        tenant_id=tenant_id,
        url="https://crm.example/",
        description="",
        events=("*",),
        sealed_by="k",
        sealed=b"s",
        created_at=1,
    )
    async with db.write(tenant_id) as connection:
        await add(connection, tenant_id, endpoint)


async def told(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """(type, data) of what was put out, oldest first."""
    c = t.hook_delivery.c
    async with db.read(EVERY_TENANT) as connection:
        bodies = [json.loads(body) for body in await connection.scalars(select(c.body).order_by(c.id))]
    for body in bodies:
        assert set(body) == {"type", "timestamp", "data"}
        assert set(body["data"]) == set(EVENTS[body["type"]][1])
    return [(body["type"], body["data"]) for body in bodies]


async def kinds(db: Database) -> list[str]:
    return [kind for kind, _ in await told(db)]


async def test_keys(db: Database) -> None:
    tenant, vault = await make_tenant(db, "aurora"), await unlock(db, SECRET_KEY)
    customer = await make_customer(db, tenant, "kim@example.com")
    await listening(db, tenant.id)
    made = await create_key(db, vault, tenant_slug="aurora", customer=customer.id, terms=KeyTerms(), actor="test")
    first = made.owned.key.id
    second = (await rotate_key(db, vault, first, "aurora", "test")).owned.key.id
    third = (await rotate_key(db, vault, second, "aurora", "test", overlap=DAY_US)).owned.key.id
    for _ in range(2):
        await revoke_key(db, second, "aurora", "test")
    assert [(kind, data["key"]) for kind, data in await told(db)] == [
        ("key.created", first),
        ("key.revoked", first),
        ("key.created", second),
        ("key.created", third),
        ("key.revoked", second),
    ]


async def test_a_tenant_hears_of_its_own_suspension_and_nobody_else(db: Database) -> None:
    for slug in ("aurora", "borealis"):
        await listening(db, (await make_tenant(db, slug)).id)
    for _ in range(2):
        await suspend_tenant(db, "aurora", "unpaid", "test")
    await resume_tenant(db, "aurora", "test")
    shown = {"storefront": "aurora"}
    assert await told(db) == [("tenant.suspended", shown), ("tenant.resumed", shown)]
    async with db.read(EVERY_TENANT) as connection:
        assert set(await connection.scalars(select(t.hook_delivery.c.endpoint_id))) == {"whe_1"}


async def test_a_low_balance_of_the_resellers(db: Database) -> None:
    tenant: Tenant = await reseller(db)
    await listening(db, tenant.id)
    await set_balance(db, tenant, "9.50")
    for _ in range(2):
        await watch_balances(db)
    assert await told(db) == [("wholesale.low", {"balance": "9.50", "threshold": "10.00"})]


async def test_a_customers_credit_below_a_threshold(db: Database) -> None:
    tenant, customer = await spender(db)
    await listening(db, tenant.id)
    await choose_thresholds(db, tenant.id, customer.id, [50 * 10**9, 20 * 10**9])
    await make_call(db, customer, await make_key(db, customer))
    await take(db, customer, "85.00")
    for _ in range(2):
        await watch_credit(db)
    found = [data for kind, data in await told(db) if kind == "usage.threshold_reached"]
    assert [(one["customer"], one["kind"], one["threshold"]) for one in found] == [(customer.id, "credit", "20.00")]
    assert found[0]["value"].startswith("14.9")


async def test_a_customers_spending_alert(db: Database) -> None:
    shop = await make_shop(db)
    await listening(db, shop.tenant_id)
    await add_alert(db, shop.tenant_id, shop.customer_id, period="day", threshold=1_800)
    await spend(db, shop, 2)
    for _ in range(2):
        await watch_spending(db)
    reached = {"customer": shop.customer_id, "kind": "day", "threshold": "0.0000018", "value": "0.0000018"}
    assert ("usage.threshold_reached", reached) in await told(db)
    assert (await kinds(db)).count("usage.threshold_reached") == 1


async def test_an_order_paid_charged_back_won_and_refunded(db: Database) -> None:
    async with paying_shop(db) as shop:
        await listening(db, shop.tenant.id)
        order = await shop.order()
        payment = shop.payment(order)
        await shop.deliver(payment, payment)
        await shop.deliver(adjusted("adj_1", payment, kind="chargeback"))
        await shop.deliver(adjusted("adj_2", payment, kind="chargeback_reverse", occurred_at=now_us()))
        await shop.deliver(adjusted("adj_3", payment, 600, occurred_at=now_us()))
        found = await told(db)
    assert [kind for kind, _ in found] == [
        "order.paid",
        "order.disputed",
        "customer.suspended",
        "customer.resumed",
        "order.refunded",
    ]
    whose = {"order": order.id, "customer": shop.customer.id}
    assert found[0][1] == {**whose, "amount": "10.00", "credits": "12.00"}
    assert found[1][1] == {**whose, "amount": "10.00"}
    assert found[4][1] == {**whose, "refunded": "5.00"}


async def test_a_subscription_from_its_first_period_to_its_end(club: Club) -> None:  # the fixture
    await listening(club.db, club.tenant.id)
    found = await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    (order, *_) = await club.orders()
    for _ in range(2):
        await club.approve(order.id)
    cancelled = await cancel_subscription(club.db, club.provider, club.choice(found))
    await resume_subscription(club.db, club.provider, club.choice(cancelled))
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    await club.at(-DAY_US)
    await follow_up(club.db)
    await club.at(-GRACE_US - 1)
    await lapse_orders(club.db)
    await follow_up(club.db)
    made = [
        (kind, data["order"])
        for kind, data in await told(club.db)
        if kind.startswith("subscription.") and "order" in data
    ]
    assert made[1] == ("subscription.renewed", order.id)
    assert [kind for kind in await kinds(club.db) if kind.startswith("subscription.")] == [
        "subscription.started",
        "subscription.renewed",
        "subscription.cancelled",
        "subscription.past_due",
        "subscription.ended",
    ]
    assert (await kinds(club.db)).count("order.paid") == 2
