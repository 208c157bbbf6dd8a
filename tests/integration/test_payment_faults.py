"""Payments where something goes wrong in between: crashes, forms sent twice, changes that cross, one bad object."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InvalidRequest
from reseller_kit.core.payment import Fact, Subscription
from reseller_kit.db import payment_refunds, provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.packages import Offer
from reseller_kit.flows import fulfil as fulfilling
from reseller_kit.flows.fulfil import fulfil, fulfil_forgotten
from reseller_kit.flows.orders import show_order
from reseller_kit.flows.orders.checkout import Names
from reseller_kit.flows.payments import ask, left_to_refund, poll, store
from reseller_kit.flows.payments.poll import poll_due
from reseller_kit.flows.payments.take import follow
from reseller_kit.flows.subscriptions import change_subscription
from reseller_kit.payments import CatalogueRef, Purchase
from tests.integration.test_subscription_payments import hear, ordered, payment
from tests.integration.test_subscriptions import NANO, TEAM, Club, Renews, club
from tests.support.paying import CREDITS, PayingShop, paying_shop

__all__ = ["club"]
_SHARES: dict[str, Any] = {"wholesale": {"settlement": "revenue_share"}}


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[PayingShop]:
    async with paying_shop(db) as made:
        yield made


async def dies(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed")


async def cash(db: Database) -> list[int]:
    async with db.read(EVERY_TENANT) as connection:
        return list(await connection.scalars(select(t.lot.c.cash_nano).order_by(t.lot.c.id)))


async def of(offer: Offer) -> CatalogueRef:
    return CatalogueRef(product_ref="pro", price_ref=f"pri_{offer.code}")


async def forget(_: Offer) -> None:
    return None


NAMES = Names(of=of, forget=forget, shared=True)


async def test_a_renewal_of_a_subscription_carries_cash_as_its_first_period_did(club: Club) -> None:
    order_id = await ordered(club)
    async with club.db.write(EVERY_TENANT) as connection:
        o = t.purchase_order.c
        facts = {"pin": {"price_ref": "pri_team", "currency": "USD", "subtotal": 2_000}, "shared": True}
        await connection.execute(update(t.purchase_order).where(o.id == order_id).values(provider_facts=facts))
        await connection.execute(update(t.tenant).values(settings=_SHARES))
    await hear(club, payment(order_id, "txn_0", 0, fee=50), payment(order_id, "txn_1", 1, fee=50))
    assert await cash(club.db) == [19_500_000_000, 19_500_000_000]


async def test_a_renewal_of_what_was_no_subscription_carries_cash_too(db: Database) -> None:
    async with paying_shop(db, **_SHARES) as shop:
        order = await shop.order(names=NAMES)
        common: dict[str, Any] = {"subscription_ref": "sub_1", "fee": 50}
        await shop.deliver(shop.payment(order, **common))
        await shop.deliver(shop.payment(order, ref="txn_r", origin="renewal", period_starts_at=100, **common))
        assert await cash(db) == [9_500_000_000, 9_500_000_000]


class Changes(Renews):
    """A provider whose subscription has the price at once that was asked for."""

    async def change_subscription(self, subscription_ref: str, purchase: Purchase, *, at_once: bool) -> Subscription:
        self.asked.append((purchase.package, at_once))
        ref = "" if purchase.item is None else purchase.item.price_ref or ""
        self.known = msgspec.structs.replace(self.known, price_ref=ref, occurred_at=self.known.occurred_at + 1)
        return self.known


async def renewing(club: Club, package: str) -> Changes:
    """The customer subscribed to that, at a provider that renews by itself; one plan more is on offer."""
    huge = {**TEAM, "id": "huge", "title": "Huge", "price": "60.00", "credits": "71.00"}
    async with club.db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, club.tenant.id, "huge", huge)
    found = await club.subscribe(package)
    fact = Subscription(
        ref="sub_p", status="active", occurred_at=10, price_ref="pri", quantity=1, order_id=found.order_id
    )
    async with club.db.write(club.tenant.id) as connection:
        await store(connection, club.tenant.id, "manual", fact)
    return Changes(fact)


async def test_a_provider_that_does_not_answer_is_asked_for_a_refund_ever_later(shop: PayingShop) -> None:
    order = await shop.order()
    refund = payment_refunds.Refund(
        id="ref_1",
        order_id=order.id,
        provider="paddle",
        payment_ref="txn_1",
        minor=100,
        currency="USD",
        actor="test",
        state="asked",
        due_at=0,
        created_at=0,
    )
    waits = []
    async with shop.db.write(EVERY_TENANT) as connection:
        assert await payment_refunds.add(connection, shop.tenant.id, refund)
        for _ in range(15):
            await payment_refunds.try_later(connection, shop.tenant.id, "ref_1", "away", 1_000)
            later = await payment_refunds.find(connection, shop.tenant.id, "ref_1")
            assert later is not None
            waits.append((later.attempts, (later.due_at - 1_000) // 1_000_000))
    assert waits == [(number + 1, min(10 * 2**number, 3_600)) for number in range(15)]


async def test_an_upgrade_waits_until_a_planned_change_is_taken_back(club: Club) -> None:
    provider, found = await renewing(club, "large"), await club.subscription()
    await change_subscription(club.db, provider, club.choice(found), package="team", names=NAMES)
    with pytest.raises(Conflict, match="planned already"):
        await change_subscription(club.db, provider, club.choice(found), package="huge", names=NAMES)
    assert provider.asked == [("team", False)]
    for package in ("large", "huge"):
        await change_subscription(club.db, provider, club.choice(found), package=package, names=NAMES)
    assert (await club.subscription()).package == "huge"


async def test_a_second_paid_checkout_of_one_order_does_not_take_its_subscription_over(club: Club) -> None:
    order_id = await ordered(club)
    other = payment(order_id, "txn_x", 0, subscription_ref="sub_x")
    fact = Subscription(ref="sub_p", status="active", occurred_at=5, price_ref="p", quantity=1, order_id=order_id)
    stranger = msgspec.structs.replace(fact, ref="sub_x", status="cancelled", occurred_at=9)
    await hear(club, fact, payment(order_id, "txn_0", 0), other, stranger)
    found = await club.subscription()
    assert (found.provider_ref, found.state) == ("sub_p", "active")
    assert await club.balance() == 25 * NANO


async def test_a_refund_whose_process_dies_behind_the_answer_is_brought_to_its_end(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()
    await shop.deliver(shop.payment(order))
    with monkeypatch.context() as patched:
        patched.setattr(ask, "take", dies)
        with pytest.raises(RuntimeError, match="killed"):
            await shop.refund(order)
    with pytest.raises(InvalidRequest, match="left to refund"):
        await shop.refund(order)
    assert await shop.repair() > 0
    assert (await shop.state(order), (await shop.refunds(order))[0].state) == ("refunded", "approved")
    credit = await shop.credit()
    assert (credit.wallet.balance, credit.wallet.reserved) == (0, 0)
    assert await shop.sound()


@pytest.mark.parametrize("answers", ["approved", "pending"])
async def test_a_partial_refund_that_is_sent_twice_is_one(shop: PayingShop, answers: Any) -> None:
    shop.till.answers = answers
    order = await shop.order()
    await shop.deliver(shop.payment(order))
    detail = await show_order(shop.db, order.id)
    left = left_to_refund(detail.order, detail.refunds)
    await shop.refund(order, "3.00", left=left)
    with pytest.raises(Conflict, match="has changed meanwhile"):
        await shop.refund(order, "3.00", left=left)
    detail = await show_order(shop.db, order.id)
    await shop.refund(order, "3.00", left=left_to_refund(detail.order, detail.refunds))
    assert len(shop.till.refunds) == 2


async def test_one_bad_object_does_not_keep_the_others_of_a_poll_and_is_asked_for_again(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, unsettled, good = [await shop.order(key=key) for key in "abc"]
    for order in (bad, unsettled, good):
        told = shop.payment(order, occurred_at=now_us())
        shop.till.made[told.ref] = told
    # The package has a function of the module's name.
    polling = sys.modules[poll.__module__]

    async def stores(connection: Any, tenant_id: int, provider: str, fact: Fact) -> Any:
        if fact.ref == bad.provider_ref:
            raise LookupError("it can't be kept")
        return await store(connection, tenant_id, provider, fact)

    async def follows(*arguments: Any, fact: Fact, **other: Any) -> None:
        if fact.ref == unsettled.provider_ref:
            raise LookupError("it can't be settled")
        await follow(*arguments, fact=fact, **other)

    async def polled_to() -> int:
        async with shop.db.read(EVERY_TENANT) as connection:
            return int(await connection.scalar(select(t.payment_poll.c.polled_to)) or 0)

    await poll_due(shop.db, shop.ledger, shop.providers)
    before = await polled_to()
    with monkeypatch.context() as patched:
        patched.setattr(polling, "store", stores)
        patched.setattr(polling, "follow", follows)
        async with shop.db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.payment_poll).values(due_at=now_us() - 1))
        assert await poll_due(shop.db, shop.ledger, shop.providers) == 3
    assert [await shop.state(one) for one in (bad, unsettled, good)] == ["checkout_open"] * 2 + ["activated"]
    assert await polled_to() == before
    await shop.repair()
    assert await shop.state(unsettled) == "activated"
    common: dict[str, Any] = {"tenant_id": shop.tenant.id, "tenant": "aurora", "since": 0, "actor": "test"}
    assert (await poll(shop.db, shop.ledger, shop.till, **common)).lost == 0
    assert (await shop.state(bad), await shop.balance()) == ("activated", 3 * CREDITS)


async def test_one_order_that_can_t_be_credited_does_not_keep_the_others(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [await shop.order(key=key) for key in "ab"]
    async with shop.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.purchase_order).values(state="paid", paid_at=1, changed_at=1))

    async def fails(*arguments: Any, order_id: str, **other: Any) -> None:
        if order_id == bad.id:
            raise LookupError("it names a package that is not there")
        await fulfil(*arguments, order_id=order_id, **other)

    monkeypatch.setattr(fulfilling, "fulfil", fails)
    assert await fulfil_forgotten(shop.db, shop.ledger) == 2
    assert [await shop.state(one) for one in (bad, good)] == ["paid", "activated"]
