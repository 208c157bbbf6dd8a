"""A reseller pays the operator: one deposit an order, whoever approves it and however often; refunds take it back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import Conflict, InvalidRequest, ServiceUnavailable
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import WholesaleMove
from reseller_kit.core.money import parse_amount
from reseller_kit.core.paging import window
from reseller_kit.db import accounts, order_settling, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, MoveWholesale, open_writer
from reseller_kit.db.orders import Order
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.audit import audit
from reseller_kit.flows.orders import approve_order, refund_order, show_order
from reseller_kit.flows.payments import settle_order
from reseller_kit.flows.platform import ensure_platform
from reseller_kit.flows.providers import Providers
from reseller_kit.flows.unlock import unlock
from reseller_kit.flows.wholesale import wholesale_balance
from reseller_kit.flows.wholesale_topup import TopUp, list_topups, top_up, topup_limits
from reseller_kit.vault import Vault
from tests.integration.test_orders import goodwill
from tests.support import factories as make


class Till:
    """A reseller with an owner, and the operator whom it pays."""

    def __init__(self, db: Database, ledger: LedgerWriter, vault: Vault, tenant: Tenant) -> None:
        self.db, self.ledger, self.vault, self.tenant = db, ledger, vault, tenant
        self.providers = Providers(db, vault)

    async def order(self, amount: str = "50.00", key: str | None = None, email: str | None = None) -> Order:
        wanted = TopUp(amount=parse_amount(amount), actor="test", request_key=key, email=email)
        return (await top_up(self.db, self.vault, self.providers, "aurora", wanted)).order

    async def approve(self, order: Order) -> str:
        return (await approve_order(self.db, self.ledger, order_id=order.id, note="", actor="test")).order.state

    async def balance(self) -> int:
        return (await wholesale_balance(self.db, "aurora")).wallet.balance

    async def mails(self) -> list[tuple[str, str]]:
        async with self.db.read(EVERY_TENANT) as connection:
            rows = await connection.execute(select(t.outbox.c.kind, t.outbox.c.recipient).order_by(t.outbox.c.id))
            return [(row.kind, row.recipient) for row in rows]


@pytest.fixture
async def till(db: Database) -> AsyncIterator[Till]:
    await make.make_platform(db)
    tenant = await make.make_tenant(db, "aurora", hosts=["aurora.example"])
    async with db.write(EVERY_TENANT) as connection:
        await tenants.add_member(connection, tenant.id, "owner@aurora.example", "owner")
        platform = await ensure_platform(connection)
        await tenants.add_member(connection, platform.id, "ops@northwind.example", "operator")
    ledger = open_writer(db)
    await ledger.start()
    yield Till(db, ledger, await unlock(db, make.SECRET_KEY), tenant)
    await ledger.close()


async def test_an_approved_topup_is_one_deposit_whoever_approves_it_and_however_often(till: Till) -> None:
    order = await till.order(key="once")
    assert (await till.order(key="once")).id == order.id
    assert (order.state, order.beneficiary_id, order.email) == ("checkout_open", till.tenant.id, "owner@aurora.example")
    assert await till.mails() == [("topup_to_approve", "ops@northwind.example")]
    assert await till.balance() == 0
    assert set(await asyncio.gather(*(till.approve(order) for _ in range(5)))) == {"activated"}
    assert await till.balance() == parse_amount("50.00")
    assert (await till.mails())[1:] == [("wholesale_topped_up", "owner@aurora.example")]
    receipt = (await show_order(till.db, order.id)).receipt
    assert receipt is not None
    assert receipt.content["seller"]["name"] == "Northwind Platform"
    (listed,) = (await list_topups(till.db, "aurora", window(10, None))).items
    assert (listed.id, listed.state) == (order.id, "activated")
    with pytest.raises(Conflict):
        await till.order("60.00", key="once")
    assert (await audit(till.db)).ok


async def test_a_refund_takes_its_share_of_the_deposit_once(till: Till) -> None:
    order = await till.order()
    await till.approve(order)
    await refund_order(till.db, till.ledger, till.providers, goodwill(order, "20.00"))
    assert await till.balance() == parse_amount("30.00")
    await refund_order(till.db, till.ledger, till.providers, goodwill(order, "5.00"))
    assert await till.balance() == parse_amount("25.00")
    detail = await refund_order(till.db, till.ledger, till.providers, goodwill(order))
    assert (detail.order.state, await till.balance()) == ("refunded", 0)
    assert (await audit(till.db)).ok


async def test_an_amount_out_of_bounds_and_a_reseller_without_an_owner_are_refused(till: Till) -> None:
    least, most = await topup_limits(till.db)
    assert (least, most) == (parse_amount("10.00"), parse_amount("100000.00"))
    for amount in ("9.99", "100000.01", "10.005"):
        with pytest.raises(InvalidRequest):
            await till.order(amount)
    await make.make_tenant(till.db, "borealis")
    wanted = TopUp(amount=parse_amount("50.00"), actor="test")
    with pytest.raises(InvalidRequest, match="no owner"):
        await top_up(till.db, till.vault, till.providers, "borealis", wanted)


async def spend(till: Till, amount: str) -> None:
    """What calls took of the reseller's account."""
    async with till.db.read(till.tenant.id) as connection:
        account = await accounts.reseller_wallet(connection, till.tenant.id)
    move = WholesaleMove(
        txn_id=new_id("txn"),
        tenant_id=till.tenant.id,
        wallet_id=account.wallet_id,
        amount=-parse_amount(amount),
        at=now_us(),
        ref="spent",
    )
    await till.ledger.submit(MoveWholesale(move, None))


async def short(till: Till) -> list[str]:
    """What the audit log says was missing of refunds."""
    async with till.db.read(EVERY_TENANT) as connection:
        c = t.audit_log.c
        rows = await connection.scalars(select(c.after).where(c.action == "wholesale.refund_short").order_by(c.id))
        return [row["missing"] for row in rows]


async def test_a_refund_that_a_call_crosses_takes_what_is_left_when_it_is_settled_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await till.order()
    await till.approve(order)
    real = accounts.drawn_on

    async def crossed(*arguments: Any) -> accounts.Balance:
        found = await real(*arguments)
        if not spent:
            spent.append(found.balance)
            await spend(till, "40.00")
        return found

    spent: list[int] = []
    monkeypatch.setattr(accounts, "drawn_on", crossed)
    with pytest.raises(ServiceUnavailable):
        await refund_order(till.db, till.ledger, till.providers, goodwill(order))
    assert await short(till) == []
    await settle_order(till.db, till.ledger, tenant_id=order.tenant_id, order_id=order.id, actor="test")
    detail = await show_order(till.db, order.id)
    assert (detail.order.state, await till.balance(), await short(till)) == ("refunded", 0, ["40.00"])


async def test_what_a_spent_account_lacks_of_a_refund_is_noted_once(till: Till) -> None:
    order = await till.order()
    await till.approve(order)
    await spend(till, "50.00")
    await refund_order(till.db, till.ledger, till.providers, goodwill(order, "20.00"))
    async with till.db.write(order.tenant_id) as connection:
        await order_settling.bump(connection, order.tenant_id, order.id)
    await settle_order(till.db, till.ledger, tenant_id=order.tenant_id, order_id=order.id, actor="test")
    assert await short(till) == ["20.00"]
    await refund_order(till.db, till.ledger, till.providers, goodwill(order))
    assert await short(till) == ["20.00", "50.00"]
