"""A larger plan within a period: paid, credited, shared, given back and charged back as any other order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.core.payment import Fact, PaidItem, Payment, Subscription
from reseller_kit.core.times import DAY_US
from reseller_kit.db import provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, now_us
from reseller_kit.flows.audit import audit
from reseller_kit.flows.payments import take
from reseller_kit.flows.payments.findings import payment_findings
from reseller_kit.flows.payments.look import dismiss_payment
from reseller_kit.flows.subscriptions import change_subscription
from reseller_kit.payments import Purchase
from tests.integration.test_payment_faults import NAMES
from tests.integration.test_subscription_payments import hear, ordered, payment
from tests.integration.test_subscriptions import NANO, Club, Renews, club
from tests.support.payments import adjusted

__all__ = ["club"]
_SHARES: dict[str, Any] = {"wholesale": {"settlement": "revenue_share"}}
TOOK: dict[str, Any] = {"subtotal": 3_000, "tax": 600, "total": 3_600, "fee": 200}


class Silent(Renews):
    """A provider that changes the plan and whose answer is lost."""

    async def change_subscription(self, subscription_ref: str, purchase: Purchase, *, at_once: bool) -> Subscription:
        self.asked.append((purchase.package, at_once))
        raise ServiceUnavailable("The answer was lost.")


def alive(order_id: str, **other: Any) -> Subscription:
    values: dict[str, Any] = {"price_ref": "pri_team", "occurred_at": now_us(), "order_id": order_id, **other}
    return Subscription(ref="sub_p", status="active", quantity=1, **values)


def change(order_id: str, ref: str = "txn_c", price: str = "pri_large", **other: Any) -> Payment:
    """What the provider took for the rest of the period."""
    item = (PaidItem(price_ref=price, quantity=1),)
    return payment(order_id, ref, 0, **{"origin": "change", "items": item, **TOOK, **other})


async def enlarging(club: Club, *, shared: bool = True) -> str:
    """A paid plan whose customer asked for the larger one, and nothing was heard of that; its first order's id."""
    order_id = await ordered(club)
    facts = {"pin": {"price_ref": "pri_team", "currency": "USD", "subtotal": 2_000}, "shared": shared}
    async with club.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.purchase_order).values(provider_facts=facts))
        await connection.execute(update(t.tenant).values(settings=_SHARES))
    await hear(club, payment(order_id, "txn_0", 0, fee=50), alive(order_id))
    await ask(club, "large")
    return order_id


async def ask(club: Club, package: str) -> None:
    found = await club.subscription()
    provider = Silent(alive(found.order_id))
    with pytest.raises(ServiceUnavailable):
        await change_subscription(club.db, provider, club.choice(found), package=package, names=NAMES)


async def books(club: Club) -> dict[str, Any]:
    """All that a permutation must not change."""
    async with club.db.read(EVERY_TENANT) as connection:
        lots = await connection.execute(select(t.lot).order_by(t.lot.c.amount_nano))
        share = await connection.execute(select(t.account.c.balance_nano).where(t.account.c.kind == "reseller_accrual"))
        problems = list(
            await connection.scalars(select(t.payment_fact.c.problem).where(t.payment_fact.c.problem != ""))
        )
        receipts = list(await connection.scalars(select(t.receipt.c.content)))
        status = await connection.scalar(select(t.customer.c.status))
        return {
            "lots": [(row.amount_nano, row.remaining_nano, row.cash_nano) for row in lots],
            "share": list(share.scalars()),
            "orders": sorted(
                (one.package, one.state, one.price_nano, one.refunded_nano) for one in await club.orders()
            ),
            "balance": await club.balance(),
            "plan": (await club.subscription()).package,
            "problems": problems,
            "receipts": sorted(one["total"] for one in receipts),
            "status": status,
        }


async def test_the_payment_of_a_larger_plan_brings_credit_cash_and_a_receipt(club: Club) -> None:
    order_id = await enlarging(club)
    await hear(club, alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5))
    assert (await club.subscription()).package == "large"
    assert len(await club.orders()) == 1
    await hear(club, change(order_id), change(order_id))
    found = await books(club)
    (order, _) = await club.orders()
    assert 43 * NANO < order.credits_nano <= 45 * NANO
    assert (order.package, order.state, order.price_nano) == ("large", "activated", 30 * NANO)
    assert [cash for _, _, cash in found["lots"]] == [19_500_000_000, 28 * NANO]
    assert found["receipts"] == ["24.00", "36.00"]
    assert found["problems"] == []
    assert (await audit(club.db)).ok


async def test_what_goes_back_of_it_takes_its_share_of_what_it_brought(club: Club) -> None:
    order_id = await enlarging(club)
    paid, larger = change(order_id), alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5)
    await hear(club, larger, paid, adjusted("adj_1", paid, 1_800))
    order, _ = await club.orders()
    half = -(-order.credits_nano // 2)
    assert (order.state, order.refunded_nano) == ("partially_refunded", 15 * NANO)
    assert await club.balance() == 25 * NANO + order.credits_nano - half
    await hear(club, adjusted("adj_2", paid, 1_800, kind="chargeback"))
    found = await books(club)
    assert ((await club.orders())[0].state, found["balance"], found["status"]) == (
        "charged_back",
        25 * NANO,
        "suspended",
    )
    await hear(club, adjusted("adj_3", paid, 1_800, kind="chargeback_reverse"))
    found = await books(club)
    assert (await club.orders())[0].state == "partially_refunded"
    assert (found["balance"], found["status"]) == (25 * NANO + order.credits_nano - half, "active")
    assert (await audit(club.db)).ok


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_and_repetition_of_its_events_ends_in_one_state(club: Club, seed: int) -> None:
    order_id = await enlarging(club)
    at = now_us()
    paid = change(order_id, occurred_at=at)
    facts: list[Fact] = [
        alive(order_id, occurred_at=at - 1),
        alive(order_id, price_ref="pri_large", occurred_at=at + 5),
        msgspec.structs.replace(paid, status="paid", occurred_at=at - 2),
        paid,
        adjusted("adj_1", paid, 900),
        adjusted("adj_2", paid, 900, kind="chargeback"),
        adjusted("adj_3", paid, 900, kind="chargeback_reverse"),
        payment(order_id, "txn_0", 0, fee=50),
    ]
    told = [*facts, *facts]
    random.Random(seed).shuffle(told)
    await hear(club, *told)
    order, first = await club.orders()
    quarter = -(-order.credits_nano // 4)
    found = await books(club)
    assert found["orders"] == [
        ("large", "partially_refunded", 30 * NANO, 7_500_000_000),
        ("team", "activated", 20 * NANO, 0),
    ]
    assert found["lots"] == [
        (25 * NANO, 25 * NANO, 19_500_000_000),
        (order.credits_nano, order.credits_nano - quarter, 28 * NANO),
    ]
    assert (found["plan"], found["problems"], found["status"]) == ("large", [], "active")
    assert (first.id, found["balance"]) == (order_id, 25 * NANO + order.credits_nano - quarter)
    # Counted from the moment it was asked for, however late it is told of.
    (added,) = ((await club.subscription()).pin or {})["added"]
    share = (added["ends_at"] - added["at"], added["ends_at"] - added["starts_at"])
    assert order.credits_nano == 45 * NANO * share[0] // share[1]
    assert (await audit(club.db)).ok


async def test_events_that_cross_find_each_other(club: Club) -> None:
    order_id = await enlarging(club)
    paid, larger = change(order_id), alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5)
    whole: list[Fact] = [larger, paid, adjusted("adj_1", paid, 1_800)]
    await asyncio.gather(*(hear(club, fact) for fact in whole * 3))
    assert sorted(one.state for one in await club.orders()) == ["activated", "partially_refunded"]
    assert (await books(club))["problems"] == []
    assert (await audit(club.db)).ok


async def test_two_larger_plans_in_a_row_are_paid_each_for_itself(club: Club) -> None:
    order_id = await enlarging(club)
    await hear(club, alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5))
    huge = {"id": "huge", "title": "Huge", "kind": "subscription", "price": "60.00", "credits": "71.00"}
    async with club.db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, club.tenant.id, "huge", {**huge, "period": "month"})
    await ask(club, "huge")
    second = change(order_id, "txn_d", "pri_huge", subtotal=1_000, tax=200, total=1_200, fee=100)
    await hear(club, second, alive(order_id, price_ref="pri_huge", occurred_at=now_us() + 9), change(order_id))
    found = await books(club)
    assert [cash for _, _, cash in found["lots"]] == [9 * NANO, 19_500_000_000, 28 * NANO]
    assert (found["plan"], found["problems"]) == ("huge", [])


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"currency": "EUR"}, "paid in EUR, ordered in USD"),
        ({"items": (PaidItem(price_ref="pri_large", quantity=2),)}, "the quantity is not 1"),
    ],
)
async def test_what_was_not_asked_for_is_looked_at_and_credited_when_accepted(
    club: Club, other: dict[str, Any], words: str
) -> None:
    order_id = await enlarging(club, shared=False)
    await hear(club, alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5), change(order_id, **other))
    order, _ = await club.orders()
    assert (order.state, await club.balance()) == ("review", 25 * NANO)
    assert (await books(club))["problems"] == [words]
    assert await club.approve(order.id) == "activated"
    assert await club.balance() == 25 * NANO + order.credits_nano
    assert (await audit(club.db)).ok


async def test_a_change_that_nobody_asked_for_is_a_finding_and_another_card_is_none(club: Club) -> None:
    order_id = await enlarging(club)
    odd = change(order_id, "txn_odd", "pri_other")
    card = change(order_id, "txn_card", subtotal=0, tax=0, total=0, fee=None)
    await hear(club, card, odd)
    (found,) = await payment_findings(club.db, "aurora")
    assert (found.code, found.payment) == ("unmatched_payment", "txn_odd")
    assert found.message == "it pays for a change of a subscription that is not known here"
    await hear(club, adjusted("adj_1", odd))
    assert (await books(club))["problems"] == []
    await hear(club, change(order_id, "txn_odder", "pri_other"))
    await dismiss_payment(club.db, club.ledger, tenant_slug="aurora", ref="txn_odder", reason="Ours.", actor="test")
    assert (await books(club))["problems"] == []


async def test_a_renewal_that_overtakes_the_change_is_not_credited_in_its_place(club: Club) -> None:
    order_id = await enlarging(club)
    later = payment(order_id, "txn_1", 1, fee=50)
    await hear(club, later, alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5), change(order_id))
    states = sorted((one.package, one.state) for one in await club.orders())
    assert states == [("large", "activated"), ("team", "activated"), ("team", "activated")]
    order = next(one for one in await club.orders() if one.package == "large")
    assert 43 * NANO < order.credits_nano <= 45 * NANO
    assert order.period_ends_at is not None
    assert order.period_ends_at < now_us() + 32 * DAY_US


async def test_a_payment_taken_before_the_plan_is_told_waits_and_is_no_finding_for_good(club: Club) -> None:
    order_id = await enlarging(club)
    await hear(club, change(order_id))
    assert (await books(club))["problems"] == ["it pays for a change of a subscription that is not known here"]
    await take(
        club.db,
        club.ledger,
        tenant_id=club.tenant.id,
        provider="paddle",
        fact=alive(order_id, price_ref="pri_large", occurred_at=now_us() + 5),
        actor="test",
    )
    assert (await books(club))["problems"] == []
    assert len(await club.orders()) == 2
