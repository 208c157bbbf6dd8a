"""What a provider tells of a payment is credited once, in whatever order and however often it comes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InvalidRequest, NotFound
from reseller_kit.core.money import parse_amount
from reseller_kit.core.payment import Fact, PaidItem
from reseller_kit.db import customers, payment_facts
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import open_writer
from reseller_kit.flows.orders import approve_order, cancel_order, reject_order, show_order
from reseller_kit.flows.orders.checkout import Names
from reseller_kit.flows.payments import poll, receive, settle_order
from reseller_kit.flows.payments import settle as settling
from reseller_kit.flows.payments.ask import ask_forgotten
from reseller_kit.flows.payments.chores import work_in
from reseller_kit.flows.payments.findings import payment_findings, tell_findings
from reseller_kit.flows.payments.look import dismiss_payment, match_payment
from reseller_kit.flows.payments.poll import poll_due
from reseller_kit.flows.payments.reconcile import reconcile
from tests.support.paying import CREDITS, PayingShop, paying_shop
from tests.support.payments import Till, adjusted, delivery


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[PayingShop]:
    async with paying_shop(db) as made:
        yield made


async def test_a_completed_payment_is_credited_once_with_its_receipt_and_mail(shop: PayingShop) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    await shop.deliver(shop.payment(order, status="open"), shop.payment(order, status="paid"))
    assert (await shop.state(order), await shop.balance()) == ("checkout_open", 0)
    assert await shop.deliver(payment, event="evt_once") == [True]
    assert await shop.deliver(payment, event="evt_once") == [False]
    await shop.deliver(payment, payment)
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)
    assert (await shop.mails()).count("receipt") == 1
    detail = await show_order(shop.db, order.id)
    assert [line.event for line in detail.timeline] == ["create", "open", "pay", "activate"]
    assert await shop.sound()


async def test_ten_replays_at_once_in_two_processes_are_one_credit(shop: PayingShop) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    other = open_writer(shop.db)
    await other.start()
    bodies = [delivery(f"evt_{number % 5}", payment, at=now_us()) for number in range(10)]
    common: dict[str, Any] = {"tenant_id": shop.tenant.id, "name": "paddle"}
    kept = await asyncio.gather(
        *(receive(shop.db, shop.vault, shop.till, body=body, headers=headers, **common) for body, headers in bodies)
    )
    assert sum(kept) == 5
    await asyncio.gather(*(work_in(shop.db, ledger) for ledger in (shop.ledger, other) for _ in range(3)))
    await asyncio.gather(
        *(
            settle_order(shop.db, ledger, tenant_id=shop.tenant.id, order_id=order.id, actor="test")
            for ledger in (shop.ledger, other)
        )
    )
    await other.close()
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)
    assert (await shop.mails()).count("receipt") == 1
    assert await shop.sound()


async def test_every_order_of_a_purchases_facts_ends_in_one_state(shop: PayingShop) -> None:
    """Opened, paid, completed, refunded in part, charged back and won: all 720 orders, drawn from evenly."""
    ends = set()
    chosen = list(itertools.permutations(range(6)))[:: 720 // 12]
    for number, order_of in enumerate(chosen):
        order = await shop.order(key=str(number))
        payment = shop.payment(order)
        facts: list[Fact] = [
            shop.payment(order, status="open", occurred_at=1),
            shop.payment(order, status="paid", occurred_at=2),
            payment,
            adjusted(f"adj_{number}_1", payment, 300),
            adjusted(f"adj_{number}_2", payment, 900, kind="chargeback", occurred_at=7),
            adjusted(f"adj_{number}_3", payment, 900, kind="chargeback_reverse", occurred_at=8),
        ]
        before = await shop.balance()
        for position in order_of:
            await shop.take(facts[position])
        await shop.take(facts[order_of[0]])
        detail = await show_order(shop.db, order.id)
        ends.add((detail.order.state, detail.order.refunded_nano, await shop.balance() - before))
    assert ends == {("partially_refunded", parse_amount("2.50"), CREDITS * 3 // 4)}
    customer = await _customer(shop)
    assert customer.status == "active"
    assert await shop.sound()


@pytest.mark.parametrize(
    "other",
    [
        {"items": (PaidItem(price_ref="pri_cheap", quantity=1),)},
        {"items": (PaidItem(price_ref="pri_starter", quantity=2),), "subtotal": 1000},
        {"currency": "EUR"},
        {"subtotal": 1},
        {"order_id": None, "claimed": "forged"},
        {"order_id": None},
    ],
)
async def test_what_is_not_what_was_ordered_is_looked_at_and_never_credited(
    shop: PayingShop, other: dict[str, Any]
) -> None:
    order = await shop.order()
    await shop.deliver(shop.payment(order, **other))
    assert (await shop.state(order), await shop.balance()) == ("review", 0)
    assert len(await shop.in_question()) == 1
    assert "payment_review" in await shop.mails()
    assert (await show_order(shop.db, order.id)).timeline[-1].facts["why"]


async def test_a_payment_in_question_is_accepted_dismissed_or_given_back(shop: PayingShop) -> None:
    accepted, dismissed, returned = [await shop.order(key=key) for key in "abc"]
    for order in (accepted, dismissed, returned):
        await shop.deliver(shop.payment(order, subtotal=999))
    await approve_order(shop.db, shop.ledger, order_id=accepted.id, note="Rounding.", actor="test")
    await reject_order(shop.db, order_id=dismissed.id, reason="Not ours.", actor="test")
    await shop.refund(returned)
    states = [await shop.state(order) for order in (accepted, dismissed, returned)]
    assert states == ["activated", "cancelled", "refunded"]
    assert await shop.balance() == CREDITS
    assert await shop.in_question() == []
    await shop.deliver(shop.payment(dismissed, subtotal=999, invoice_ref="inv_1", occurred_at=9))
    assert await shop.state(dismissed) == "cancelled"
    assert await shop.sound()


async def test_another_orders_reference_buys_neither(shop: PayingShop) -> None:
    dear, other = await shop.order(key="a"), await shop.order(key="b")
    await shop.deliver(shop.payment(dear, order_id=other.id))
    assert (await shop.state(dear), await shop.state(other)) == ("review", "checkout_open")
    assert await shop.balance() == 0


async def test_money_for_no_order_of_ours_is_kept_for_somebody_to_look_at(shop: PayingShop) -> None:
    async with paying_shop(shop.db, "boreal") as stranger:
        theirs = await stranger.order()
    await shop.deliver(shop.payment(theirs, ref="txn_stray"))
    assert await shop.in_question() == ["it names no order of this storefront"]
    assert await shop.state(theirs) == "checkout_open"
    assert await shop.balance() == 0


async def test_forged_stale_and_foreign_deliveries_are_refused_and_not_kept(shop: PayingShop) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    common: dict[str, Any] = {"tenant_id": shop.tenant.id, "name": "paddle"}
    body, headers = delivery("evt_1", payment, at=now_us())
    refused = [
        delivery("evt_1", payment, at=now_us(), secret=b"another"),
        delivery("evt_1", payment, at=now_us(), secret=b""),
        delivery("evt_1", payment, at=now_us() - 3_600_000_000),
        (body.replace(b"1000", b"1001"), headers),
        (body, {}),
    ]
    for wrong, marks in refused:
        with pytest.raises(InvalidRequest):
            await receive(shop.db, shop.vault, shop.till, body=wrong, headers=marks, **common)
    with pytest.raises(NotFound):
        await receive(shop.db, shop.vault, Till("other"), body=body, headers=headers, **common)
    assert await work_in(shop.db, shop.ledger) == 0
    assert await shop.state(order) == "checkout_open"


async def test_an_order_paid_twice_is_credited_once_and_the_second_goes_back_in_one_step(shop: PayingShop) -> None:
    order = await shop.order()
    second = shop.payment(order, ref="txn_second", occurred_at=8)
    await shop.deliver(shop.payment(order), second)
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)
    assert await shop.in_question() == ["the order was paid a second time"]
    detail = await shop.refund(order, reason="duplicate_charge")
    assert (detail.order.state, await shop.balance()) == ("activated", CREDITS)
    assert [one.payment_ref for one in shop.till.refunds.values()] == ["txn_second"]
    assert await shop.in_question() == []
    assert await shop.sound()


async def test_a_refund_is_told_in_cents_with_tax_and_for_its_own_reason(shop: PayingShop) -> None:
    shop.till.answers = "pending"
    order = await shop.order()
    payment, second = shop.payment(order), shop.payment(order, ref="txn_second", occurred_at=8)
    await shop.deliver(payment, second)
    await shop.refund(order, "3.10", note="sorry")
    await shop.refund(order, "3.10", note="again")
    await shop.refund(order, reason="duplicate_charge")
    for at, one in enumerate(reversed(await shop.refunds(order)), 20):
        assert one.adjustment_ref is not None
        of = second if one.payment_ref == second.ref else payment
        await shop.deliver(adjusted(one.adjustment_ref, of, one.minor, occurred_at=at))
    steps = [line for line in (await show_order(shop.db, order.id)).timeline if line.event == "refund_part"]
    assert [line.facts["amount"] for line in steps] == ["2.583333334", "2.583333333"]
    assert {line.facts["reason"] for line in steps} == {"goodwill"}
    async with shop.db.read(EVERY_TENANT) as connection:
        mails = await connection.scalars(select(t.outbox.c.payload).where(t.outbox.c.kind == "order_refunded"))
        assert [payload["amount"] for payload in mails] == ["3.10", "3.10"]


async def test_a_chargeback_takes_the_credit_and_suspends_until_it_is_won(shop: PayingShop) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    await shop.deliver(payment, adjusted("adj_1", payment, kind="chargeback_warning"))
    assert (await shop.state(order), (await _customer(shop)).status) == ("activated", "active")
    await shop.deliver(adjusted("adj_2", payment, kind="chargeback"))
    assert (await shop.state(order), await shop.balance()) == ("charged_back", 0)
    assert (await _customer(shop)).status == "suspended"
    await shop.deliver(adjusted("adj_3", payment, kind="chargeback_reverse"))
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)
    assert (await _customer(shop)).status == "active"
    told = await shop.mails()
    assert [kind for kind in told if kind.startswith("account_")] == ["account_suspended", "account_resumed"]
    assert [kind for kind in told if kind.startswith("chargeback")] == [
        "chargeback_warning",
        "chargeback",
        "chargeback_ended",
    ]
    assert await shop.sound()


async def test_a_refund_holds_the_credit_until_the_provider_decides(shop: PayingShop) -> None:
    shop.till.answers = "pending"
    order = await shop.order()
    payment = shop.payment(order)
    await shop.deliver(payment)
    await shop.refund(order, "6.00")
    credit = await shop.credit()
    assert (credit.wallet.balance, credit.wallet.reserved) == (CREDITS, CREDITS // 2)
    await shop.refund(order, "3.00")
    with pytest.raises(InvalidRequest, match=r"3\.00 USD"):
        await shop.refund(order, "3.01")
    first, second = (await shop.refunds(order))[:2]
    assert first.adjustment_ref is not None
    assert second.adjustment_ref is not None
    await shop.deliver(adjusted(first.adjustment_ref, payment, 600, occurred_at=20))
    assert (await shop.state(order), await shop.balance()) == ("partially_refunded", CREDITS // 2)
    await shop.deliver(adjusted(second.adjustment_ref, payment, 300, status="rejected", occurred_at=21))
    credit = await shop.credit()
    assert (credit.wallet.balance, credit.wallet.reserved) == (CREDITS // 2, 0)
    assert [one.state for one in await shop.refunds(order)] == ["approved", "rejected"]
    (found,) = await payment_findings(shop.db, "aurora")
    rejected = "a refund is not given: the provider rejected it"
    assert (found.code, found.amount, found.message) == ("refund_unanswered", "3.00", rejected)
    await shop.refund(order, "3.00")
    assert await payment_findings(shop.db, "aurora") == []
    await shop.deliver(adjusted((await shop.refunds(order))[-1].adjustment_ref or "", payment, 300, status="rejected"))
    await tell_findings(shop.db)
    assert "payment_review" in await shop.mails()
    assert (await show_order(shop.db, order.id)).order.refunded_nano == parse_amount("5.00")
    assert await shop.sound()


async def test_a_refund_begun_at_the_provider_is_held_and_given_as_our_own(shop: PayingShop) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    await shop.deliver(adjusted("adj_9", payment, status="pending"), payment)
    assert (await shop.credit()).wallet.reserved == CREDITS
    await shop.deliver(adjusted("adj_9", payment, occurred_at=9))
    assert (await shop.state(order), await shop.balance()) == ("refunded", 0)
    assert (await shop.mails()).count("order_refunded") == 1
    assert await shop.sound()


async def test_a_refund_whose_answer_was_lost_is_asked_for_again_and_given_once(shop: PayingShop) -> None:
    order = await shop.order()
    await shop.deliver(shop.payment(order))
    shop.till.lost = 1
    await shop.refund(order)
    assert (await shop.state(order), (await shop.refunds(order))[0].state) == ("activated", "asked")
    assert (await shop.credit()).wallet.reserved == CREDITS
    await shop.repair()
    assert await ask_forgotten(shop.db, shop.ledger, shop.providers) == 1
    assert (await shop.state(order), await shop.balance()) == ("refunded", 0)
    assert len(shop.till.refunds) == 1
    assert await shop.sound()


async def test_a_refund_that_the_provider_refuses_changes_nothing(shop: PayingShop) -> None:
    order = await shop.order()
    await shop.deliver(shop.payment(order))
    shop.till.refuses = "Too old."
    with pytest.raises(InvalidRequest, match="Too old"):
        await shop.refund(order)
    credit = await shop.credit()
    assert (credit.wallet.balance, credit.wallet.reserved) == (CREDITS, 0)
    assert (await show_order(shop.db, order.id)).timeline[-1].facts == {"why": "Too old."}
    (found,) = await payment_findings(shop.db, "aurora")
    assert (found.code, found.message) == ("refund_unanswered", "a refund is not given: Too old.")
    shop.till.refuses = ""
    assert (await shop.refund(order)).order.state == "refunded"
    assert await payment_findings(shop.db, "aurora") == []
    assert await shop.sound()


@pytest.mark.parametrize("step", ["fulfil", "take_back", "_note_questions", "_conclude"])
async def test_whatever_dies_between_two_steps_is_brought_to_its_end(
    shop: PayingShop, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()
    payment = shop.payment(order)

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(settling, step, dies)
        await shop.deliver(payment, adjusted("adj_1", payment, 600))
        assert await shop.state(order) != "partially_refunded"
    assert await shop.repair() > 0
    assert (await shop.state(order), await shop.balance()) == ("partially_refunded", CREDITS // 2)
    assert (await shop.mails()).count("receipt") == 1
    assert await shop.sound()


async def test_an_order_whose_process_died_behind_the_checkout_is_found_by_its_reference(shop: PayingShop) -> None:
    order = await shop.order()
    async with shop.db.write(shop.tenant.id) as connection:
        forgotten: dict[str, Any] = {"state": "draft", "provider_ref": None, "provider_facts": {}}
        await connection.execute(update(t.purchase_order).values(**forgotten))
    await shop.deliver(shop.payment(order))
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)


async def test_a_cancelled_order_that_is_paid_after_all_waits_for_somebody(shop: PayingShop) -> None:
    order = await shop.order()
    await cancel_order(shop.db, tenant_id=shop.tenant.id, customer_id=shop.customer.id, order_id=order.id, actor="test")
    await shop.deliver(shop.payment(order))
    assert (await shop.state(order), await shop.balance()) == ("review", 0)
    await shop.deliver(shop.payment(order, invoice_ref="inv_1", occurred_at=9))
    assert await shop.state(order) == "review"
    await approve_order(shop.db, shop.ledger, order_id=order.id, note="", actor="test")
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)


async def test_polling_alone_reaches_what_every_delivery_would_have(shop: PayingShop) -> None:
    bought, back, stray = await shop.order(key="a"), await shop.order(key="b"), await shop.order(key="c")
    for payment in (shop.payment(bought), shop.payment(back), shop.payment(stray, order_id="ord_x", ref="txn_x")):
        shop.till.made[payment.ref] = payment
    gone = adjusted("adj_1", shop.payment(back))
    shop.till.made[gone.ref] = gone
    common: dict[str, Any] = {"tenant_id": shop.tenant.id, "tenant": "aurora", "since": 0, "actor": "test"}
    first = await poll(shop.db, shop.ledger, shop.till, **common)
    assert (first.seen, first.new, first.repaired, first.unmatched) == (4, 4, 0, 1)
    assert [await shop.state(one) for one in (bought, back, stray)] == ["activated", "refunded", "checkout_open"]
    second = await poll(shop.db, shop.ledger, shop.till, **common)
    assert (second.seen, second.new, second.repaired, second.unmatched) == (4, 0, 0, 1)
    assert await shop.balance() == CREDITS
    assert await shop.sound()


async def test_each_period_of_a_subscription_is_credited_once(shop: PayingShop) -> None:
    order = await shop.order()
    first = shop.payment(order, subscription_ref="sub_1")
    renewal: dict[str, Any] = {"origin": "renewal", "subscription_ref": "sub_1", "period_starts_at": 100}
    second = shop.payment(order, ref="txn_r1", **renewal)
    await shop.deliver(second)
    assert await shop.balance() == 0
    assert await shop.in_question() == ["it renews a subscription that nobody bought here"]
    await shop.deliver(first, second)
    assert await shop.balance() == 2 * CREDITS
    assert await shop.in_question() == []
    await shop.deliver(shop.payment(order, ref="txn_r2", **renewal), second)
    assert await shop.balance() == 2 * CREDITS
    assert await shop.in_question() == ["the order was paid a second time"]
    await shop.deliver(adjusted("adj_1", second), adjusted("adj_2", shop.payment(order, ref="txn_r2")))
    assert await shop.balance() == CREDITS
    changed = shop.payment(order, ref="txn_c", origin="change", subscription_ref="sub_1")
    await shop.deliver(changed)
    assert await shop.balance() == CREDITS
    assert await shop.sound()


async def _customer(shop: PayingShop) -> customers.Customer:
    async with shop.db.read(shop.tenant.id) as connection:
        found = await customers.find(connection, shop.tenant.id, shop.customer.id)
    assert found is not None
    return found


async def test_findings_name_each_payment_with_the_step_that_ends_it(shop: PayingShop) -> None:
    twice, wrong, again, last = [await shop.order(key=key) for key in "abcd"]
    await shop.deliver(shop.payment(twice), shop.payment(twice, ref="txn_2", occurred_at=9))
    await shop.deliver(shop.payment(wrong, subtotal=1), shop.payment(again), shop.payment(last, ref="txn_stray"))
    await shop.deliver(shop.payment(last, ref="txn_nowhere", order_id="ord_none"))
    found = {one.code: one for one in await payment_findings(shop.db, "aurora")}
    assert set(found) == {"duplicate_charge", "billing_error", "duplicate_order", "unmatched_payment"}
    assert found["duplicate_charge"].step.endswith("--reason duplicate_charge --payment txn_2")
    assert found["unmatched_payment"].payment == "txn_nowhere"
    assert found["duplicate_order"].order in {again.id, last.id}
    await tell_findings(shop.db)
    told = await shop.mails()
    await tell_findings(shop.db)
    assert await shop.mails() == told


async def test_a_stray_payment_is_matched_then_approved_dismissed_or_forgotten_when_it_went_back(
    shop: PayingShop,
) -> None:
    order = await shop.order()
    for ref in ("txn_a", "txn_b", "txn_c"):
        await shop.deliver(shop.payment(order, ref=ref, order_id=None))
    common: dict[str, Any] = {"tenant_slug": "aurora", "actor": "test"}
    await match_payment(shop.db, shop.ledger, ref="txn_a", order_id=order.id, **common)
    assert (await shop.state(order), await shop.balance()) == ("review", 0)
    await approve_order(shop.db, shop.ledger, order_id=order.id, note="By name.", actor="test")
    assert (await shop.state(order), await shop.balance()) == ("activated", CREDITS)
    await dismiss_payment(shop.db, shop.ledger, ref="txn_b", reason="A test.", **common)
    await shop.deliver(adjusted("adj_c", shop.payment(order, ref="txn_c")))
    assert await shop.in_question() == []
    other = await shop.order(key="b")
    with pytest.raises(Conflict):
        await match_payment(shop.db, shop.ledger, ref="txn_a", order_id=other.id, **common)
    assert await shop.sound()


async def test_reconcile_says_what_is_left_to_look_at(shop: PayingShop) -> None:
    order, wrong = await shop.order(key="a"), await shop.order(key="b")
    for payment in (shop.payment(order), shop.payment(wrong, subtotal=1)):
        shop.till.made[payment.ref] = payment
    common: dict[str, Any] = {"provider": "paddle", "since": 0}
    done = await reconcile(shop.db, shop.ledger, shop.providers, tenant_slug=None, **common)
    assert [(one.tenant, one.seen, one.new, one.review) for one in done.polls] == [("aurora", 2, 2, 1)]
    assert not done.ok
    await reject_order(shop.db, order_id=wrong.id, reason="Wrong.", actor="test")
    again = await reconcile(shop.db, shop.ledger, shop.providers, tenant_slug="aurora", **common)
    assert (again.ok, again.polls[0].new, again.polls[0].repaired) == (True, 0, 0)
    everybody = await reconcile(shop.db, shop.ledger, shop.providers, provider=None, since=0, tenant_slug=None)
    assert [(one.tenant, one.new) for one in everybody.polls] == [("aurora", 0)]
    assert await shop.balance() == CREDITS


async def test_a_night_asks_each_provider_once_in_whichever_process(shop: PayingShop) -> None:
    order = await shop.order()
    shop.till.made["x"] = shop.payment(order, occurred_at=now_us())
    assert await poll_due(shop.db, shop.ledger, shop.providers) is None
    async with shop.db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.payment_poll).values(due_at=now_us() - 1))
    asked = await asyncio.gather(*(poll_due(shop.db, shop.ledger, shop.providers) for _ in range(3)))
    assert sorted(asked, key=str) == [1, None, None]
    assert await shop.balance() == CREDITS


async def test_cash_that_the_operator_collected_is_the_resellers_until_it_goes_back(db: Database) -> None:
    async def nothing(_: Any) -> None:
        return None

    at_the_operators = Names(of=nothing, forget=nothing, shared=True)
    async with paying_shop(db, wholesale={"settlement": "revenue_share"}) as shop:
        order, own = await shop.order(names=at_the_operators), await shop.order(key="own")
        payment = shop.payment(order, fee=50)
        await shop.deliver(payment, shop.payment(own))
        async with db.read(EVERY_TENANT) as connection:
            o, lot = t.purchase_order.c, t.lot.c
            rows = await connection.execute(select(o.id, lot.cash_nano).where(o.lot_id == lot.id))
            assert {row[0]: row[1] for row in rows} == {order.id: parse_amount("9.50"), own.id: 0}
        await shop.deliver(adjusted("adj_1", payment))
        assert await shop.balance() == CREDITS
        assert await shop.sound()


async def test_through_a_shared_account_each_takes_its_own_and_nothing_of_others(shop: PayingShop) -> None:
    shop.till.shared = True
    order, changed = await shop.order(key="a"), await shop.order(key="b")
    payment, theirs = shop.payment(order), shop.payment(order, ref="txn_theirs", order_id=None, claimed="theirs")
    kept = await shop.deliver(payment, theirs, adjusted("adj_t", theirs), adjusted("adj_1", payment, 600))
    assert kept == [True, False, False, True]
    # What a browser took the reference from is known by its checkout.
    await shop.deliver(shop.payment(changed, order_id=None))
    assert [await shop.state(one) for one in (order, changed)] == ["partially_refunded", "review"]
    for fact in (theirs, adjusted("adj_t", theirs)):
        shop.till.made[fact.ref] = fact
    common: dict[str, Any] = {"tenant_id": shop.tenant.id, "tenant": "aurora", "since": 0, "actor": "test"}
    assert (await poll(shop.db, shop.ledger, shop.till, **common)).seen == 0
    assert await shop.in_question() == ["it bears no reference"]


async def test_what_crosses_its_payment_on_the_way_is_found_behind_the_commit(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    await shop.take(adjusted("adj_1", payment))
    real, calls = payment_facts.bind_adjustments, itertools.count()

    async def blind_at_first(*arguments: Any) -> None:
        if next(calls):
            await real(*arguments)

    monkeypatch.setattr(payment_facts, "bind_adjustments", blind_at_first)
    await shop.take(payment)
    assert (await shop.state(order), await shop.balance()) == ("refunded", 0)


async def test_what_did_not_see_the_payment_that_it_crossed_is_followed_behind_the_commit(
    shop: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.order()
    payment = shop.payment(order)
    await shop.take(payment)
    real, calls = payment_facts.find, itertools.count()

    async def blind_at_first(*arguments: Any, **options: Any) -> Any:
        seen = options or arguments[3] != "payment" or next(calls)
        return await real(*arguments, **options) if seen else None

    monkeypatch.setattr(payment_facts, "find", blind_at_first)
    await shop.take(adjusted("adj_1", payment))
    assert (await shop.state(order), await shop.balance()) == ("refunded", 0)
