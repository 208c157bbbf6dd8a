"""Subscriptions that a provider renews by itself: facts in any order, as often as they like, end in one state."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from reseller_kit.core.payment import Fact, PaidItem, Payment, Subscription
from reseller_kit.core.times import DAY_US
from reseller_kit.db import tables as t
from reseller_kit.db.engine import now_us
from reseller_kit.flows.audit import audit
from reseller_kit.flows.orders import Wanted, place_order
from reseller_kit.flows.payments import take
from reseller_kit.flows.payments.findings import payment_findings
from reseller_kit.payments import Manual
from tests.integration.test_subscriptions import NANO, Club, club, lots

__all__ = ["club"]


def payment(order_id: str, ref: str, month: int, **members: Any) -> Payment:
    """A completed payment of the plan's period `month` from now."""
    start = now_us() // DAY_US * DAY_US + month * 30 * DAY_US
    values: dict[str, Any] = {
        "ref": ref,
        "status": "completed",
        "origin": "purchase" if month == 0 else "renewal",
        "occurred_at": now_us(),
        "items": (PaidItem(price_ref="pri_team", quantity=1),),
        "currency": "USD",
        "subtotal": 2_000,
        "total": 2_400,
        "order_id": order_id,
        "subscription_ref": "sub_p",
        "period_starts_at": start,
        "period_ends_at": start + 30 * DAY_US,
    }
    return Payment(**{**values, **members})


async def ordered(club: Club) -> str:
    """An order of the plan at that provider, not paid yet."""
    placed = await place_order(
        club.db,
        Manual(),
        tenant_id=club.tenant.id,
        customer_id=club.customer.id,
        wanted=Wanted(package="team"),
        actor="test",
    )
    facts = {"pin": {"price_ref": "pri_team", "currency": "USD", "subtotal": 2_000}}
    async with club.db.write(club.tenant.id) as connection:
        await connection.execute(update(t.purchase_order).values(provider="paddle", provider_facts=facts))
    return placed.order.id


async def hear(club: Club, *facts: Fact) -> None:
    for fact in facts:
        await take(club.db, club.ledger, tenant_id=club.tenant.id, provider="paddle", fact=fact, actor="test")


@pytest.mark.parametrize("seed", range(4))
async def test_each_period_is_one_grant_in_whatever_order_and_however_often_it_is_told(club: Club, seed: int) -> None:
    order_id = await ordered(club)
    first, second, third = (payment(order_id, f"txn_{month}", month) for month in range(3))
    alive = Subscription(
        ref="sub_p", status="active", occurred_at=now_us(), price_ref="pri_team", quantity=1, order_id=order_id
    )
    ending = msgspec.structs.replace(alive, occurred_at=now_us() + 1, cancel_at=third.period_ends_at)
    facts: list[Fact] = [first, second, third, alive, ending]
    random.Random(seed).shuffle(facts)
    await hear(club, *facts, *facts)
    found = await club.subscription()
    assert (found.state, found.provider_ref, found.cancel_at) == ("active", "sub_p", third.period_ends_at)
    assert (found.period_starts_at, found.period_ends_at) == (third.period_starts_at, third.period_ends_at)
    assert [order.state for order in await club.orders()] == ["activated"] * 3
    assert await club.balance() == 75 * NANO
    if seed == 0:
        assert (await audit(club.db)).ok


async def test_a_period_that_is_paid_twice_is_credited_once(club: Club) -> None:
    order_id = await ordered(club)
    await hear(club, payment(order_id, "txn_0", 0), payment(order_id, "txn_1", 1), payment(order_id, "txn_x", 1))
    assert await club.balance() == 50 * NANO
    expiries = [expires_at for _, _, expires_at in await lots(club)]
    assert all(one < other for one, other in itertools.pairwise(filter(None, expiries)))


async def test_a_renewal_at_another_price_is_looked_at_by_somebody(club: Club) -> None:
    order_id = await ordered(club)
    await hear(club, payment(order_id, "txn_0", 0), payment(order_id, "txn_1", 1, subtotal=1_000))
    assert await club.balance() == 25 * NANO
    assert sorted(order.state for order in await club.orders()) == ["activated", "review"]


def bare(order_id: str, ref: str, **members: Any) -> Payment:
    """A renewal that does not say which period it pays."""
    return payment(order_id, ref, 1, **{"period_starts_at": None, "period_ends_at": None, **members})


def told_of(order_id: str | None, **members: Any) -> Subscription:
    values: dict[str, Any] = {"status": "active", "occurred_at": now_us(), **members}
    return Subscription(ref="sub_p", price_ref="pri_team", quantity=1, order_id=order_id, **values)


@pytest.mark.parametrize("seed", range(4))
async def test_renewals_that_name_no_period_are_one_each_also_when_told_first(club: Club, seed: int) -> None:
    order_id = await ordered(club)
    facts = [payment(order_id, "txn_0", 0), *(bare(order_id, f"txn_{number}") for number in (1, 2, 3))]
    random.Random(seed).shuffle(facts)
    await hear(club, *facts, *facts)
    assert [order.state for order in await club.orders()] == ["activated"] * 4
    assert await club.balance() == 100 * NANO
    assert len({order.period_starts_at for order in await club.orders()}) == 4


@pytest.mark.parametrize(
    ("ended", "begins"),
    [
        ({"status": "cancelled", "cancel_at": 500}, {"occurred_at": 500}),
        ({"status": "cancelled", "occurred_at": 500}, {"billed_at": 501}),
        ({"cancel_at": 500}, {"period_starts_at": 500}),
    ],
)
async def test_a_renewal_behind_the_end_is_looked_at_by_somebody(
    club: Club, ended: dict[str, Any], begins: dict[str, Any]
) -> None:
    order_id = await ordered(club)
    await hear(club, payment(order_id, "txn_0", 0), told_of(order_id, **ended), bare(order_id, "txn_1", **begins))
    assert await club.balance() == 25 * NANO
    renewal = next(order for order in await club.orders() if order.id != order_id)
    assert renewal.state == "review"
    (found,) = await payment_findings(club.db, "aurora")
    assert (found.code, found.message) == ("billing_error", "it renews a subscription that had ended")
    assert await club.approve(renewal.id) == "activated"
    assert await club.balance() == 50 * NANO


async def test_a_renewal_from_before_the_end_is_credited_however_late_it_is_told(club: Club) -> None:
    order_id = await ordered(club)
    early = [bare(order_id, "txn_1", billed_at=499), bare(order_id, "txn_2", period_starts_at=499)]
    await hear(club, told_of(order_id, status="cancelled", cancel_at=500), *early, payment(order_id, "txn_0", 0))
    assert [order.state for order in await club.orders()] == ["activated"] * 3
    await hear(club, told_of(order_id, status="cancelled", cancel_at=1), payment(order_id, "txn_0", 0))
    assert await club.balance() == 75 * NANO


async def test_a_cancellation_that_was_taken_back_puts_no_renewal_in_question(club: Club) -> None:
    order_id = await ordered(club)
    late = bare(order_id, "txn_1", billed_at=500)
    await hear(club, payment(order_id, "txn_0", 0), told_of(order_id, cancel_at=500), late)
    assert await club.balance() == 25 * NANO
    await hear(club, told_of(order_id))
    assert [order.state for order in await club.orders()] == ["activated"] * 2
    assert await club.balance() == 50 * NANO
    assert await payment_findings(club.db, "aurora") == []
    assert (await audit(club.db)).ok


@pytest.mark.parametrize("seed", range(3))
async def test_a_subscription_that_names_the_payment_it_began_with_is_found_by_that(club: Club, seed: int) -> None:
    order_id = await ordered(club)
    async with club.db.write(club.tenant.id) as connection:
        await connection.execute(update(t.purchase_order).values(provider_ref="txn_0"))
    facts: list[Fact] = [
        payment(order_id, "txn_0", 0, subscription_ref=None),
        told_of(None, payment_ref="txn_0", occurred_at=10),
        told_of(None, occurred_at=20, cancel_at=2**60),
        bare(order_id, "txn_1"),
    ]
    random.Random(seed).shuffle(facts)
    await hear(club, *facts, *facts)
    assert [order.state for order in await club.orders()] == ["activated"] * 2
    assert await club.balance() == 50 * NANO
    found = await club.subscription()
    assert (found.provider_ref, found.cancel_at) == ("sub_p", 2**60)
    assert await payment_findings(club.db, "aurora") == []
