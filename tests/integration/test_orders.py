"""Orders: one grant for what was paid, whoever asks, however often, and whatever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InvalidRequest, LedgerFault, NotFound
from reseller_kit.core.money import parse_amount
from reseller_kit.db import orders as stored
from reseller_kit.db import provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, open_writer
from reseller_kit.db.orders import Order
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows import fulfil as fulfilling
from reseller_kit.flows.audit import audit
from reseller_kit.flows.credits import credit_balance
from reseller_kit.flows.fulfil import fulfil
from reseller_kit.flows.orders import (
    Wanted,
    approve_order,
    cancel_order,
    lapse_orders,
    place_order,
    refund_order,
    reject_order,
    show_order,
)
from reseller_kit.flows.payments import WantedRefund
from reseller_kit.flows.payments.chores import settle_forgotten
from reseller_kit.payments import Manual
from tests.support.factories import make_customer, make_tenant
from tests.support.payments import Tills

STARTER: dict[str, Any] = {
    "id": "starter",
    "title": "Starter",
    "kind": "package",
    "price": "10.00",
    "credits": "12.00",
    "valid_days": 90,
}
TOPUP: dict[str, Any] = {"id": "top-up", "title": "Top up", "kind": "topup", "min": "5.00", "max": "500.00"}


def goodwill(order: Order, amount: str | None = None) -> WantedRefund:
    wanted = None if amount is None else parse_amount(amount)
    return WantedRefund(order_id=order.id, amount=wanted, reason="goodwill", actor="test")


class Shop:
    """One tenant that offers two packages, and its customer."""

    def __init__(self, db: Database, ledger: LedgerWriter, tenant: Tenant, customer: Customer) -> None:
        self.db, self.ledger, self.tenant, self.customer = db, ledger, tenant, customer
        self.providers = Tills(db, Manual())

    async def order(self, package: str = "starter", **wanted: Any) -> Order:
        placed = await place_order(
            self.db,
            Manual(),
            tenant_id=self.tenant.id,
            customer_id=self.customer.id,
            wanted=Wanted(package=package, **wanted),
            actor="test",
        )
        return placed.order

    async def approve(self, order: Order) -> str:
        detail = await approve_order(self.db, self.ledger, order_id=order.id, note="", actor="test")
        return detail.order.state

    async def refund(self, order: Order, amount: str | None = None) -> str:
        detail = await refund_order(self.db, self.ledger, self.providers, goodwill(order, amount))
        return detail.order.state

    async def balance(self) -> int:
        return (await credit_balance(self.db, self.tenant.slug, self.customer.id)).wallet.balance

    async def mails(self) -> list[str]:
        async with self.db.read(EVERY_TENANT) as connection:
            return list(await connection.scalars(select(t.outbox.c.kind).order_by(t.outbox.c.id)))


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[Shop]:
    tenant = await make_tenant(db, "aurora", hosts=["aurora.example"])
    customer = await make_customer(db, tenant, "kim@example.com")
    async with db.write(EVERY_TENANT) as connection:
        for terms in (STARTER, TOPUP):
            await provisioning.publish_package(connection, tenant.id, terms["id"], terms)
    ledger = open_writer(db)
    await ledger.start()
    yield Shop(db, ledger, tenant, customer)
    await ledger.close()


async def test_an_approved_order_becomes_credit_a_receipt_and_a_mail(shop: Shop) -> None:
    order = await shop.order()
    assert (order.state, order.price_nano, order.credits_nano) == ("checkout_open", 10_000_000_000, 12_000_000_000)
    assert await shop.balance() == 0
    assert await shop.approve(order) == "activated"
    assert await shop.balance() == 12_000_000_000
    detail = await show_order(shop.db, order.id)
    assert detail.receipt is not None
    assert detail.receipt.number == 1
    assert [line.event for line in detail.timeline] == ["create", "open", "pay", "activate"]
    assert await shop.mails() == ["order_requested", "receipt"]
    assert (await audit(shop.db)).ok


async def test_twenty_approvals_at_once_grant_once(shop: Shop) -> None:
    order = await shop.order("top-up", amount=parse_amount("25.00"))
    states = await asyncio.gather(*(shop.approve(order) for _ in range(20)))
    assert set(states) == {"activated"}
    assert await shop.balance() == parse_amount("25.00")
    assert (await show_order(shop.db, order.id)).order.state == "activated"
    assert (await shop.mails()).count("receipt") == 1
    assert (await audit(shop.db)).ok


async def test_an_order_whose_process_died_behind_the_grant_is_finished_without_a_second_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(fulfilling, "_receipt", dies)
        with pytest.raises(RuntimeError, match="killed"):
            await shop.approve(order)
    assert await shop.balance() == 12_000_000_000
    assert (await show_order(shop.db, order.id)).order.state == "paid"
    assert await settle_forgotten(shop.db, shop.ledger) == 0
    async with shop.db.write(shop.tenant.id) as connection:
        await connection.execute(update(t.purchase_order).values(settle_until=now_us() - 1))
    assert await settle_forgotten(shop.db, shop.ledger) == 1
    assert (await show_order(shop.db, order.id)).order.state == "activated"
    assert await shop.balance() == 12_000_000_000
    assert (await audit(shop.db)).ok


async def test_a_refused_grant_leaves_an_order_that_can_be_credited_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()

    async def refuses(*_: Any, **__: Any) -> Any:
        raise LedgerFault("no")

    with monkeypatch.context() as patched:
        patched.setattr(fulfilling, "_grant", refuses)
        assert await shop.approve(order) == "activation_failed"
    assert await shop.balance() == 0
    assert await shop.approve(order) == "activated"
    assert await shop.balance() == 12_000_000_000


async def test_a_form_that_is_sent_twice_is_one_order(shop: Shop) -> None:
    made = await asyncio.gather(*(shop.order(request_key="form-1") for _ in range(3)), return_exceptions=True)
    ids = {order.id for order in made if isinstance(order, Order)}
    again = await shop.order(request_key="form-1")
    assert ids == {again.id}
    other = await shop.order(request_key="form-2")
    assert other.id != again.id


async def test_what_is_bought_is_what_stood_on_the_page(shop: Shop) -> None:
    order = await shop.order()
    async with shop.db.write(EVERY_TENANT) as connection:
        changed = {**STARTER, "price": "10.00", "credits": "1.00"}
        await provisioning.publish_package(connection, shop.tenant.id, "starter", changed)
    with pytest.raises(Conflict, match="changed since"):
        await shop.order(terms_hash=order.terms_hash)
    assert await shop.approve(order) == "activated"
    assert await shop.balance() == 12_000_000_000


@pytest.mark.parametrize("amount", [None, "4.99", "500.01", "7.001"])
async def test_a_topup_has_bounds_and_whole_cents(shop: Shop, amount: str | None) -> None:
    with pytest.raises(InvalidRequest):
        await shop.order("top-up", amount=None if amount is None else parse_amount(amount))


async def test_refunds_in_parts_take_their_share_and_what_was_spent_becomes_debt(shop: Shop) -> None:
    order = await shop.order()
    await shop.approve(order)
    assert await shop.refund(order, "2.50") == "partially_refunded"
    assert await shop.balance() == 9_000_000_000
    with pytest.raises(InvalidRequest, match="left to refund"):
        await shop.refund(order, "7.51")
    assert await shop.refund(order) == "refunded"
    assert await shop.balance() == 0
    with pytest.raises(InvalidRequest):
        await shop.refund(order)
    assert (await audit(shop.db)).ok


async def test_five_refunds_at_once_give_back_no_more_than_was_paid(shop: Shop) -> None:
    order = await shop.order()
    await shop.approve(order)
    ended = await asyncio.gather(*(shop.refund(order, "4.00") for _ in range(5)), return_exceptions=True)
    done = [state for state in ended if isinstance(state, str)]
    assert all(isinstance(one, str | Conflict | InvalidRequest) for one in ended), ended
    detail = await show_order(shop.db, order.id)
    assert detail.order.refunded_nano == 4_000_000_000 * len(done)
    assert await shop.balance() == 12_000_000_000 - 4_800_000_000 * len(done)
    assert (await audit(shop.db)).ok


async def test_a_rejected_order_is_closed_and_money_that_comes_after_is_looked_at(shop: Shop) -> None:
    order = await shop.order()
    await reject_order(shop.db, order_id=order.id, reason="Nothing arrived.", actor="test")
    assert (await show_order(shop.db, order.id)).order.note == "Nothing arrived."
    assert await shop.approve(order) == "activated"
    approved = await show_order(shop.db, order.id)
    assert [line.after for line in approved.timeline][-3:] == ["review", "paid", "activated"]
    # Why it was closed is part of its past, and no longer what is said of it.
    assert approved.order.note == ""
    assert "Nothing arrived." in [line.facts.get("reason") for line in approved.timeline]
    with pytest.raises(Conflict):
        await reject_order(shop.db, order_id=order.id, reason="Too late.", actor="test")


async def test_an_order_that_nobody_pays_lapses(shop: Shop) -> None:
    order = await shop.order()
    assert await lapse_orders(shop.db) == 0
    async with shop.db.write(shop.tenant.id) as connection:
        await connection.execute(update(t.purchase_order).values(lapses_at=now_us() - 1))
    assert await lapse_orders(shop.db) == 1
    assert (await show_order(shop.db, order.id)).order.state == "lapsed"
    assert await shop.approve(order) == "activated"


async def test_another_customers_order_is_an_unknown_one(shop: Shop) -> None:
    order = await shop.order()
    other = await make_customer(shop.db, shop.tenant, "bo@example.com")
    elsewhere = await make_customer(shop.db, await make_tenant(shop.db, "boreal"), "kim@example.com")
    texts = []
    for tenant_id, customer_id, order_id in (
        (shop.tenant.id, other.id, order.id),
        (elsewhere.tenant_id, elsewhere.id, order.id),
        (elsewhere.tenant_id, elsewhere.id, "ord_01JD0000000000000000000000"),
    ):
        with pytest.raises(NotFound) as caught:
            await cancel_order(shop.db, tenant_id=tenant_id, customer_id=customer_id, order_id=order_id, actor="test")
        texts.append(caught.value.message.replace(order_id, "ID"))
    assert len(set(texts)) == 1
    await fulfil(shop.db, shop.ledger, tenant_id=elsewhere.tenant_id, order_id=order.id, actor="test")
    with pytest.raises(NotFound):
        await place_order(
            shop.db,
            Manual(),
            tenant_id=elsewhere.tenant_id,
            customer_id=elsewhere.id,
            wanted=Wanted(package="starter"),
            actor="test",
        )


async def test_receipts_are_numbered_without_a_gap(shop: Shop) -> None:
    placed = [await shop.order(request_key=str(number)) for number in range(6)]
    await asyncio.gather(*(shop.approve(order) for order in placed))
    async with shop.db.read(shop.tenant.id) as connection:
        receipts = [await stored.receipt(connection, shop.tenant.id, order.id) for order in placed]
    assert sorted(one.number for one in receipts if one is not None) == [1, 2, 3, 4, 5, 6]


async def test_a_form_that_is_sent_many_times_at_once_is_one_order(shop: Shop) -> None:
    orders = await asyncio.gather(*(shop.order(request_key="form-1") for _ in range(8)))
    assert len({order.id for order in orders}) == 1
    assert (await shop.mails()).count("order_requested") == 1
    with pytest.raises(Conflict, match="'form-1' was used for another order"):
        await shop.order("top-up", amount=parse_amount("25.00"), request_key="form-1")


async def test_refunds_at_once_take_what_the_order_says_in_the_end(shop: Shop) -> None:
    order = await shop.order()
    await shop.approve(order)
    wanted = ("1.00", "2.00", "3.00", "4.00")
    await asyncio.gather(*(shop.refund(order, amount) for amount in wanted), return_exceptions=True)
    refunded = (await show_order(shop.db, order.id)).order.refunded_nano
    assert refunded > 0
    assert await shop.balance() == 12_000_000_000 - refunded * 12 // 10
    assert (await audit(shop.db)).ok


async def test_a_team_decides_on_its_own_orders_alone(shop: Shop) -> None:
    order = await shop.order()
    stranger = await make_tenant(shop.db, "borealis", hosts=["borealis.example"])
    common: dict[str, Any] = {"order_id": order.id, "actor": "member:1", "tenant_id": stranger.id}
    with pytest.raises(NotFound):
        await approve_order(shop.db, shop.ledger, note="", **common)
    with pytest.raises(NotFound):
        await reject_order(shop.db, reason="", **common)
    with pytest.raises(NotFound):
        await refund_order(shop.db, shop.ledger, shop.providers, goodwill(order), tenant_id=stranger.id)
    with pytest.raises(NotFound):
        await show_order(shop.db, order.id, stranger.id)
    own = {**common, "tenant_id": shop.tenant.id}
    assert (await approve_order(shop.db, shop.ledger, note="", **own)).order.state == "activated"
