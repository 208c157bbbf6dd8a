"""Customers are told of low and expiring credit, new keys and suspension: once each, and not when they said no."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import TakeBack
from reseller_kit.core.money import parse_amount
from reseller_kit.core.times import DAY_US
from reseller_kit.db import announcements, provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import TakeCredit
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.announce import unsubscribe, unsubscribe_token
from reseller_kit.flows.credit_alerts import (
    KIND,
    choose_thresholds,
    chosen_thresholds,
    default_thresholds,
    tell_of_expiry,
    watch_credit,
)
from reseller_kit.flows.customers import resume_customer, suspend_customer
from reseller_kit.flows.grants import GrantTerms, grant_credit
from reseller_kit.flows.keys import KeyTerms, create_key
from reseller_kit.flows.unlock import unlock
from tests.support import factories as make
from tests.support.shop_walk import add_order


async def spender(db: Database, grant: str = "100.00") -> tuple[Tenant, Customer]:
    """A customer with this much credit, who bought 100 USD of it, and calls at published prices."""
    tenant = await make.make_tenant(db, "aurora", hosts=["aurora.example"])
    customer = await make.make_customer(db, tenant, "kim@example.com")
    upstream = await make.make_upstream(db)
    await make.make_model(db, upstream_id=upstream)
    await make.publish(db, tenant, "gpt-5-mini", wholesale=make.COST, retail=make.COST)
    await make.deposit(db, tenant)
    await give(db, tenant, customer, grant)
    return tenant, customer


async def give(db: Database, tenant: Tenant, customer: Customer, amount: str, expires_at: int | None = None) -> None:
    await grant_credit(
        db,
        tenant_slug=tenant.slug,
        customer=customer.id,
        amount=parse_amount(amount),
        reason="test",
        terms=GrantTerms(expires_at=expires_at),
        idempotency_key=None,
        actor="test",
    )


async def take(db: Database, customer: Customer, amount: str) -> None:
    request = TakeBack(
        txn_id=new_id("txn"),
        tenant_id=customer.tenant_id,
        wallet_id=customer.wallet_id,
        amount=parse_amount(amount),
        at=now_us(),
    )
    await make.post(db, TakeCredit(request))


async def mails(db: Database) -> list[tuple[str, dict[str, Any]]]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.outbox.c.kind, t.outbox.c.payload).order_by(t.outbox.c.id))
        return [(row.kind, row.payload) for row in rows]


async def test_each_threshold_is_told_once_until_credit_is_added(db: Database) -> None:
    tenant, customer = await spender(db)
    await choose_thresholds(db, tenant.id, customer.id, [parse_amount("20.00"), parse_amount("50.00")])
    key = await make.make_key(db, customer)
    await make.make_call(db, customer, key)
    assert await watch_credit(db) == 0

    await take(db, customer, "60.001")
    assert sum(await asyncio.gather(*(watch_credit(db) for _ in range(4)))) == 1
    low = next(payload for kind, payload in await mails(db) if kind == "credit_low")
    assert re.fullmatch(r"\d+\.\d\d", low["available"]), "whole cents, as on a page"
    await take(db, customer, "30.00")
    assert [await watch_credit(db), await watch_credit(db)] == [1, 0]
    assert [payload["threshold"] for kind, payload in await mails(db) if kind == "credit_low"] == ["50.00", "20.00"]

    await give(db, tenant, customer, "100.00")
    assert await watch_credit(db) == 0
    await take(db, customer, "105.00")
    assert await watch_credit(db) == 1
    assert (await mails(db))[-1][1]["threshold"] == "20.00"


async def test_without_a_choice_thresholds_are_parts_of_the_latest_purchase(db: Database) -> None:
    tenant, customer = await spender(db, "12.00")
    assert default_thresholds(None) == ()
    key = await make.make_key(db, customer)
    await make.make_call(db, customer, key)
    assert await watch_credit(db) == 0
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, tenant.id, "starter", {"id": "starter", "title": "Starter"})
        for number, credits_ in enumerate(("10.00", "100.00")):
            await add_order(connection, tenant.id, _Of(customer), f"ord_{number}", f"order {number}")
            bought = update(t.purchase_order).where(t.purchase_order.c.id == f"ord_{number}")
            await connection.execute(bought.values(lot_id=f"lot_{number}", credits_nano=parse_amount(credits_)))
    assert await watch_credit(db) == 1
    assert (await mails(db))[-1][1]["threshold"] == "20.00"


class _Of:
    def __init__(self, customer: Customer) -> None:
        self.customer = customer


async def test_who_chose_never_or_unsubscribed_is_not_told(db: Database) -> None:
    tenant, customer = await spender(db, "10.00")
    await choose_thresholds(db, tenant.id, customer.id, [])
    assert await chosen_thresholds(db, tenant.id, customer.id) == ()
    key = await make.make_key(db, customer)
    await make.make_call(db, customer, key)
    assert await watch_credit(db) == 0
    await choose_thresholds(db, tenant.id, customer.id, [parse_amount("20.00")])
    vault = await unlock(db, make.SECRET_KEY)
    assert not await unsubscribe(
        db, vault, tenant.id, customer.id, unsubscribe_token(vault, tenant.id, customer.id), KIND
    )
    token = unsubscribe_token(vault, tenant.id, customer.id, KIND)
    assert await unsubscribe(db, vault, tenant.id, customer.id, token, KIND)
    assert await watch_credit(db) == 0
    async with db.read(EVERY_TENANT) as connection:
        assert await announcements.recipients(connection, tenant.id) == [(customer.id, customer.email)]
    for wrong in ([0], [1, 2, 3, 4]):
        with pytest.raises(InvalidRequest):
            await choose_thresholds(db, tenant.id, customer.id, wrong)


async def test_credit_that_runs_out_is_told_a_week_and_a_day_before(db: Database) -> None:
    tenant, customer = await spender(db)
    for hours in (12, 6 * 24 + 12, 20 * 24):
        await give(db, tenant, customer, "5.00", now_us() + hours * DAY_US // 24)
    assert await tell_of_expiry(db) == 0
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.lot).values(created_at=now_us() - 2 * DAY_US))
    assert [await tell_of_expiry(db), await tell_of_expiry(db)] == [2, 0]
    told = [payload["left"] for kind, payload in await mails(db) if kind == "credit_expiring"]
    assert told == ["5.00", "5.00"]


async def test_a_new_key_and_a_suspension_are_told_of(db: Database) -> None:
    tenant, customer = await spender(db)
    vault = await unlock(db, make.SECRET_KEY)
    await create_key(
        db, vault, tenant_slug=tenant.slug, customer=customer.id, terms=KeyTerms(name="laptop"), actor="test"
    )
    await suspend_customer(db, tenant.slug, customer.id, "abuse", "test")
    await suspend_customer(db, tenant.slug, customer.id, "abuse", "test")
    await resume_customer(db, tenant.slug, customer.id, "test")
    kinds = [kind for kind, _ in await mails(db)]
    assert kinds == ["key_created", "account_suspended", "account_resumed"]
    assert (await mails(db))[0][1]["name"] == "laptop"
