"""A payment provider that raises what its interface does not have: nothing is lost, and all can be tried again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.core.payment import Adjustment, Pin
from reseller_kit.db.engine import Database
from reseller_kit.flows.payments.ask import ask_forgotten
from reseller_kit.payments import Checkout, Purchase
from reseller_kit.payments.base import Delivery, RefundWanted
from tests.support.paying import CREDITS, PayingShop, paying_shop
from tests.support.payments import Till


class Faulty(Till):
    """Fails at what `broken` names, each time in a way of its own."""

    broken = ""

    def pin(self, purchase: Purchase) -> Pin | None:
        if self.broken == "pin":
            raise ZeroDivisionError
        return super().pin(purchase)

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        if self.broken == "open":
            raise KeyError("url")
        if self.broken == "nothing":
            return cast(Checkout, None)
        return await super().open_checkout(purchase)

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:
        if self.broken == "verify":
            raise AttributeError("fact")
        return super().verify(body, headers, now)

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        answer = await super().refund(wanted)
        if self.broken == "refund":  # it gave the money back, and lost its head over the answer
            raise RuntimeError("no such field")
        return answer


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[PayingShop]:
    async with paying_shop(db, till=Faulty()) as open_shop:
        yield open_shop


def breaks(shop: PayingShop, what: str) -> None:
    cast(Faulty, shop.till).broken = what


@pytest.mark.parametrize("where", ["pin", "open", "nothing"])
async def test_an_order_whose_checkout_failed_is_opened_when_it_is_asked_for_again(
    shop: PayingShop, where: str
) -> None:
    breaks(shop, where)
    with pytest.raises(ServiceUnavailable):
        await shop.order("form-1")
    breaks(shop, "")
    order = await shop.order("form-1")
    assert (order.state, cast(Faulty, shop.till).opened) == ("checkout_open", 1)
    await shop.deliver(shop.payment(order))
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)


async def test_a_delivery_that_could_not_be_read_is_taken_when_it_comes_again(shop: PayingShop) -> None:
    order = await shop.order()
    breaks(shop, "verify")
    with pytest.raises(ServiceUnavailable):
        await shop.deliver(shop.payment(order), event="evt_again")
    breaks(shop, "")
    assert await shop.deliver(shop.payment(order), event="evt_again") == [True]
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)


async def test_a_refund_whose_answer_failed_is_asked_for_again_and_given_once(shop: PayingShop) -> None:
    order = await shop.order()
    await shop.deliver(shop.payment(order))
    breaks(shop, "refund")
    await shop.refund(order)
    assert [refund.state for refund in await shop.refunds(order)] == ["asked"]
    breaks(shop, "")
    await shop.repair()
    assert await ask_forgotten(shop.db, shop.ledger, shop.providers) == 1
    assert (await shop.state(order), await shop.balance()) == ("refunded", 0)
    assert len(cast(Any, shop.till).refunds) == 1
    assert await shop.sound()
