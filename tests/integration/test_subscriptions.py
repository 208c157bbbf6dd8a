"""Subscriptions: one grant a period whatever is repeated, asked for, missed, cancelled, resumed and changed in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InvalidRequest, NotFound
from reseller_kit.core.payment import Subscription as Fact
from reseller_kit.core.subscription import GRACE_US
from reseller_kit.core.times import DAY_US
from reseller_kit.db import orders, provisioning, subscriptions
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, open_writer
from reseller_kit.db.orders import Order
from reseller_kit.db.packages import Offer
from reseller_kit.db.subscriptions import Subscription
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.audit import audit
from reseller_kit.flows.credits import credit_balance
from reseller_kit.flows.fulfil import fulfil
from reseller_kit.flows.orders import Wanted, approve_order, cancel_order, lapse_orders, place_order
from reseller_kit.flows.orders.checkout import Names
from reseller_kit.flows.providers import Providers
from reseller_kit.flows.subscription_facts import told
from reseller_kit.flows.subscriptions import (
    Choice,
    cancel_departing,
    cancel_subscription,
    change_subscription,
    follow_up,
    resume_subscription,
)
from reseller_kit.flows.unlock import unlock
from reseller_kit.payments import CatalogueRef, Manual, Purchase
from tests.support.factories import SECRET_KEY, make_customer, make_tenant

NANO = 10**9
TEAM: dict[str, Any] = {
    "id": "team",
    "title": "Team",
    "kind": "subscription",
    "price": "20.00",
    "credits": "25.00",
    "period": "month",
}
PACKAGES = (
    TEAM,
    {**TEAM, "id": "large", "title": "Large", "price": "50.00", "credits": "70.00"},
    {**TEAM, "id": "kept", "title": "Kept", "roll_over": True, "roll_over_periods": 2},
    {**TEAM, "id": "weekly", "title": "Weekly", "period": "week"},
    {"id": "starter", "title": "Starter", "kind": "package", "price": "10.00", "credits": "12.00"},
)


class Club:
    """A tenant that sells subscriptions, and its customer."""

    def __init__(self, db: Database, ledger: LedgerWriter, tenant: Tenant, customer: Customer) -> None:
        self.db, self.ledger, self.tenant, self.customer = db, ledger, tenant, customer
        self.provider = Manual()

    async def subscribe(self, package: str = "team") -> Subscription:
        wanted = Wanted(package=package)
        placed = await place_order(
            self.db, Manual(), tenant_id=self.tenant.id, customer_id=self.customer.id, wanted=wanted, actor="test"
        )
        await self.approve(placed.order.id)
        return await self.subscription()

    async def approve(self, order_id: str) -> str:
        return (await approve_order(self.db, self.ledger, order_id=order_id, note="", actor="test")).order.state

    async def subscription(self) -> Subscription:
        async with self.db.read(self.tenant.id) as connection:
            (found, *_) = await subscriptions.page(connection, self.tenant.id, 10, None)
        return found

    async def orders(self) -> list[Order]:
        async with self.db.read(self.tenant.id) as connection:
            return await orders.page(connection, self.tenant.id, 20, None)

    async def at(self, before_end: int) -> None:
        """Let the paid period end so many µs from now."""
        found = await self.subscription()
        moved = found.period_ends_at - now_us() - before_end
        async with self.db.write(EVERY_TENANT) as connection:
            for table in (t.subscription, t.purchase_order):
                c = table.c
                times = {name: c[name] - moved for name in ("period_starts_at", "period_ends_at", "changed_at")}
                await connection.execute(update(table).values(times))
            await connection.execute(update(t.subscription).values(anchor_at=t.subscription.c.anchor_at - moved))
            await connection.execute(update(t.purchase_order).values(lapses_at=t.purchase_order.c.lapses_at - moved))

    async def balance(self) -> int:
        return (await credit_balance(self.db, self.tenant.slug, self.customer.id)).wallet.balance

    async def mails(self) -> list[str]:
        async with self.db.read(EVERY_TENANT) as connection:
            return list(await connection.scalars(select(t.outbox.c.kind).order_by(t.outbox.c.id)))

    def choice(self, found: Subscription) -> Choice:
        return Choice(
            tenant_id=self.tenant.id, subscription_id=found.id, customer_id=self.customer.id, actor="customer:test"
        )


@pytest.fixture
async def club(db: Database) -> AsyncIterator[Club]:
    tenant = await make_tenant(db, "aurora", hosts=["aurora.example"])
    customer = await make_customer(db, tenant, "kim@example.com")
    async with db.write(EVERY_TENANT) as connection:
        for terms in PACKAGES:
            await provisioning.publish_package(connection, tenant.id, terms["id"], terms)
    ledger = open_writer(db)
    await ledger.start()
    yield Club(db, ledger, tenant, customer)
    await ledger.close()


async def lots(club: Club) -> list[tuple[str, int, int | None]]:
    async with club.db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.lot).order_by(t.lot.c.id))
        return [(row.kind, row.amount_nano, row.expires_at) for row in rows]


async def test_a_paid_order_begins_a_period_whose_credit_ends_with_it(club: Club) -> None:
    found = await club.subscribe()
    assert (found.state, found.number, found.cancel_at) == ("active", 0, None)
    assert 28 * DAY_US <= found.period_ends_at - found.period_starts_at <= 31 * DAY_US
    assert await lots(club) == [("subscription", 25 * NANO, found.period_ends_at)]
    (order,) = await club.orders()
    assert (order.subscription_id, order.period_ends_at) == (found.id, found.period_ends_at)
    assert (await audit(club.db)).ok


async def test_unused_credit_rolls_over_as_far_as_the_terms_say(club: Club) -> None:
    found = await club.subscribe("kept")
    ((_, _, expires_at),) = await lots(club)
    assert expires_at is not None
    assert 58 * DAY_US <= expires_at - found.period_ends_at <= 62 * DAY_US


async def test_the_next_period_is_asked_for_once_and_credited_once(club: Club) -> None:
    first = await club.subscribe()
    assert await follow_up(club.db) == 0
    await club.at(6 * DAY_US)
    await asyncio.gather(*(follow_up(club.db) for _ in range(4)))
    order, _ = await club.orders()
    current = await club.subscription()
    assert (order.state, order.price_nano, order.period_starts_at) == (
        "checkout_open",
        20 * NANO,
        current.period_ends_at,
    )
    assert (await club.mails()).count("subscription_due") == 1
    assert await follow_up(club.db) == 0

    await asyncio.gather(*(club.approve(order.id) for _ in range(5)))
    renewed = await club.subscription()
    assert (renewed.id, renewed.number, renewed.period_starts_at) == (first.id, 1, current.period_ends_at)
    assert (await lots(club))[1:] == [("subscription", 25 * NANO, renewed.period_ends_at)]
    assert await club.balance() == 50 * NANO
    assert (await club.mails()).count("subscription_renewed") == 1
    assert (await audit(club.db)).ok


async def test_two_paid_orders_of_one_period_are_one_grant(club: Club) -> None:
    await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    order, _ = await club.orders()
    async with club.db.write(club.tenant.id) as connection:
        row = {name: getattr(order, name) for name in ("customer_id", "package_id", "provider", "provider_facts")}
        row |= {name: getattr(order, name) for name in ("price_nano", "credits_nano", "terms_hash", "lapses_at")}
        row |= {name: getattr(order, name) for name in ("subscription_id", "period_starts_at", "period_ends_at")}
        row |= {"id": order.id[:-1] + ("0" if order.id[-1] != "0" else "1"), "request_key": "x", "created_at": now_us()}
        await orders.add(connection, club.tenant.id, row, "test")
        await connection.execute(
            update(t.purchase_order).values(state="paid").where(t.purchase_order.c.lot_id.is_(None))
        )
    for one in (order.id, str(row["id"])):
        await fulfil(club.db, club.ledger, tenant_id=club.tenant.id, order_id=one, actor="test")
    assert sorted(one.state for one in await club.orders()) == ["activated", "activated", "activation_failed"]
    assert await club.balance() == 50 * NANO


async def test_what_is_not_paid_is_missed_then_ends_and_the_order_lapses(club: Club) -> None:
    await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    await club.at(-DAY_US)
    await follow_up(club.db)
    assert (await club.subscription()).state == "past_due"
    await follow_up(club.db)
    assert (await club.mails()).count("subscription_failed") == 1
    await club.at(-GRACE_US - 1)
    await lapse_orders(club.db)
    await follow_up(club.db)
    assert (await club.subscription()).state == "ended"
    assert [one.state for one in await club.orders()] == ["lapsed", "activated"]
    assert (await club.mails())[-1] == "subscription_ended"
    assert await follow_up(club.db) == 0


async def test_a_late_payment_renews_what_was_missed(club: Club) -> None:
    await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    await club.at(-DAY_US)
    await follow_up(club.db)
    order, _ = await club.orders()
    assert await club.approve(order.id) == "activated"
    renewed = await club.subscription()
    assert (renewed.state, renewed.number) == ("active", 1)
    assert renewed.period_ends_at > now_us() + 25 * DAY_US


async def test_a_cancelled_one_runs_out_and_a_resumed_one_goes_on(club: Club) -> None:
    found = await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    cancelled = await cancel_subscription(club.db, club.provider, club.choice(found))
    assert cancelled.cancel_at == cancelled.period_ends_at
    assert [one.state for one in await club.orders()] == ["cancelled", "activated"]
    assert await cancel_subscription(club.db, club.provider, club.choice(found)) == cancelled
    assert (await club.mails()).count("subscription_cancelled") == 1

    resumed = await resume_subscription(club.db, club.provider, club.choice(found))
    assert resumed.cancel_at is None
    await follow_up(club.db)
    assert [one.state for one in await club.orders()] == ["checkout_open", "cancelled", "activated"]

    await cancel_subscription(club.db, club.provider, club.choice(found))
    async with club.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.subscription).values(cancel_at=now_us() - 1))
    await follow_up(club.db)
    assert (await club.subscription()).state == "ended"
    with pytest.raises(Conflict):
        await resume_subscription(club.db, club.provider, club.choice(found))


async def test_giving_the_next_period_s_order_up_cancels_the_subscription(club: Club) -> None:
    await club.subscribe()
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    order, _ = await club.orders()
    await cancel_order(
        club.db, tenant_id=club.tenant.id, customer_id=club.customer.id, order_id=order.id, actor="customer:test"
    )
    await follow_up(club.db)
    found = await club.subscription()
    assert found.cancel_at == found.period_ends_at
    assert len(await club.orders()) == 2


async def test_a_change_counts_from_the_next_period_where_nobody_renews_by_itself(club: Club) -> None:
    found = await club.subscribe()
    changed = await change_subscription(club.db, club.provider, club.choice(found), package="large")
    assert (changed.package, changed.next_package_id is None) == ("team", False)
    await club.at(6 * DAY_US)
    await follow_up(club.db)
    order, _ = await club.orders()
    assert (order.package, order.price_nano) == ("large", 50 * NANO)
    with pytest.raises(Conflict, match="ordered already"):
        await change_subscription(club.db, club.provider, club.choice(found), package="team")
    await club.approve(order.id)
    renewed = await club.subscription()
    assert (renewed.package, renewed.next_package_id) == ("large", None)
    assert await club.balance() == 95 * NANO


async def test_what_can_t_be_changed_to_is_said(club: Club) -> None:
    found = await club.subscribe()
    for package, error in (("nothing", NotFound), ("starter", InvalidRequest), ("weekly", InvalidRequest)):
        with pytest.raises(error):
            await change_subscription(club.db, club.provider, club.choice(found), package=package)
    with pytest.raises(Conflict):
        await change_subscription(club.db, club.provider, club.choice(found), package="large", accepted="other")
    other = msgspec.structs.replace(club.choice(found), customer_id="cus_other")
    with pytest.raises(NotFound):
        await cancel_subscription(club.db, club.provider, other)


async def test_a_customer_who_leaves_is_not_renewed(club: Club) -> None:
    await club.subscribe()
    providers = Providers(club.db, await unlock(club.db, SECRET_KEY))
    assert await cancel_departing(club.db, providers) == 0
    async with club.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.customer).values(status="closing", delete_at=now_us() + DAY_US))
    assert [await cancel_departing(club.db, providers) for _ in range(2)] == [1, 0]
    assert (await club.subscription()).cancel_at is not None


class Renews(Manual):
    """A provider that renews by itself, and answers as it is told to."""

    def __init__(self, fact: Fact) -> None:
        self.known = fact
        self.asked: list[tuple[str, bool]] = []

    async def cancel_subscription(self, subscription_ref: str) -> Fact:
        assert subscription_ref == self.known.ref
        return msgspec.structs.replace(self.known, cancel_at=now_us() + DAY_US, occurred_at=self.known.occurred_at + 1)

    async def resume_subscription(self, subscription_ref: str) -> Fact:
        assert subscription_ref == self.known.ref
        return msgspec.structs.replace(self.known, cancel_at=None, occurred_at=self.known.occurred_at + 2)

    async def change_subscription(self, subscription_ref: str, purchase: Purchase, *, at_once: bool) -> Fact:
        assert subscription_ref == self.known.ref
        self.asked.append((purchase.package, at_once))
        return msgspec.structs.replace(self.known, price_ref="pri_new", occurred_at=self.known.occurred_at + 3)


async def test_of_what_a_provider_tells_the_later_holds_in_any_order(club: Club) -> None:
    found = await club.subscribe()
    fact = Fact(ref="sub_p", status="active", occurred_at=10, price_ref="pri", quantity=1, order_id=found.order_id)
    facts = [
        fact,
        msgspec.structs.replace(fact, status="past_due", occurred_at=20, order_id=None),
        msgspec.structs.replace(fact, status="active", occurred_at=30, cancel_at=99 * DAY_US),
        msgspec.structs.replace(fact, status="cancelled", occurred_at=40),
    ]
    for one in (facts[0], facts[3], facts[1], facts[2], facts[3]):
        async with club.db.write(club.tenant.id) as connection:
            await told(connection, club.tenant.id, "manual", one)
    ended = await club.subscription()
    assert (ended.state, ended.provider_ref, ended.told_at) == ("ended", "sub_p", 40)
    assert (await club.mails()).count("subscription_ended") == 1
    async with club.db.write(club.tenant.id) as connection:
        stranger = msgspec.structs.replace(fact, ref="sub_other", order_id=None)
        assert await told(connection, club.tenant.id, "manual", stranger) is None


async def test_a_provider_that_renews_by_itself_is_asked_and_believed(club: Club) -> None:
    found = await club.subscribe()
    fact = Fact(ref="sub_p", status="active", occurred_at=10, price_ref="pri", quantity=1, order_id=found.order_id)
    async with club.db.write(club.tenant.id) as connection:
        await told(connection, club.tenant.id, "manual", fact)
    provider = Renews(fact)
    assert (await cancel_subscription(club.db, provider, club.choice(found))).cancel_at is not None
    assert (await resume_subscription(club.db, provider, club.choice(found))).cancel_at is None

    async def of(_: Offer) -> CatalogueRef:
        return CatalogueRef(product_ref="pro", price_ref="pri_new")

    async def forget(_: Offer) -> None:
        raise AssertionError("the name is right")

    changed = await change_subscription(
        club.db, provider, club.choice(found), package="large", names=Names(of=of, forget=forget)
    )
    assert provider.asked == [("large", True)]
    pin = changed.pin or {}
    assert {name: pin[name] for name in ("price_ref", "currency", "subtotal")} == {
        "price_ref": "pri_new",
        "currency": "USD",
        "subtotal": 5_000,
    }
    assert (changed.package, changed.next_package_id) == ("large", None)
    # What the larger plan adds waits for its payment, however often the provider tells of the plan.
    for _ in range(2):
        async with club.db.write(club.tenant.id) as connection:
            again = msgspec.structs.replace(fact, price_ref="pri_new", occurred_at=20)
            await told(connection, club.tenant.id, "manual", again)
    ((added,), found) = ((await club.subscription()).pin or {})["added"], await club.subscription()
    assert 44 * NANO < added["credits_nano"] <= 45 * NANO
    assert 29 * NANO < added["price_nano"] <= 30 * NANO
    assert (found.package, found.next_package_id, found.number, len(await club.orders())) == ("large", None, 0, 1)
    assert (await audit(club.db)).ok
