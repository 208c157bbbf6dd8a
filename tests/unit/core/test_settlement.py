"""All that is known of an order's payments says where it has to end, in whatever order it became known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.order import transition
from reseller_kit.core.payment import Adjustment, PaidItem, Payment, Pin, Subscription
from reseller_kit.core.settlement import (
    Agreed,
    Known,
    after_credit,
    before_credit,
    doubts,
    gone_of,
    joined,
    left_of,
    net_cash,
    target,
)
from tests.support.payments import adjusted, paid

ORDER = "ord_1"
AGREED = Agreed(order_id=ORDER, provider="paddle", pin=Pin(price_ref="pri_starter", currency="USD", subtotal=1000))
GOOD = paid(ORDER, "txn_1", 1000)


def known(payment: Payment, **other: Any) -> Known:
    return Known(provider="paddle", payment=payment, **other)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"items": (PaidItem(price_ref="pri_cheap", quantity=1),)}, "another price"),
        ({"items": (PaidItem(price_ref="pri_starter", quantity=2),)}, "quantity"),
        ({"items": ()}, "another price"),
        ({"items": tuple(PaidItem(price_ref="pri_starter", quantity=n) for n in (1, 2))}, "quantity"),
        ({"currency": "EUR"}, "EUR"),
        ({"subtotal": 999}, "999"),
        ({"discount": 1}, "999"),
        ({"order_id": "ord_2"}, "another order"),
        ({"order_id": None, "claimed": "forged"}, "not ours"),
        ({"order_id": None}, "no reference"),
    ],
)
def test_a_payment_that_is_not_what_was_ordered_is_put_in_question(other: dict[str, Any], words: str) -> None:
    payment = paid(ORDER, "txn_1", 1000, **other)
    wanted = target(AGREED, [known(payment)], [])
    assert wanted.kept is None
    assert words in wanted.questions[0][2]
    assert before_credit("checkout_open", wanted, credited=False) == ("question",)
    accepted = target(AGREED, [known(payment, decision="accepted")], [])
    assert accepted.kept is not None
    assert target(AGREED, [known(payment, decision="dismissed")], []).questions == ()


def test_tax_and_fees_are_never_compared() -> None:
    assert doubts(AGREED, known(paid(ORDER, "txn_1", 1000, tax=777, fee=99, total=1777))) == ()


def test_a_discount_counts_before_tax() -> None:
    assert doubts(AGREED, known(paid(ORDER, "txn_1", 1100, discount=100))) == ()


def test_a_payment_that_is_not_completed_moves_nothing() -> None:
    for status in ("open", "paid", "failed", "cancelled"):
        wanted = target(AGREED, [known(paid(ORDER, "txn_1", 1000, status=status))], [])
        assert before_credit("checkout_open", wanted, credited=False) == ()


def test_a_second_payment_is_one_too_many_and_either_may_go_back() -> None:
    second = paid(ORDER, "txn_2", 1000, occurred_at=9)
    wanted = target(AGREED, [known(second), known(GOOD)], [])
    assert wanted.kept is not None
    assert wanted.kept.payment.ref == "txn_1"
    assert wanted.questions == (("paddle", "txn_2", "the order was paid a second time"),)
    back = target(AGREED, [known(GOOD), known(second)], [adjusted("adj_1", GOOD)])
    assert back.kept is not None
    assert (back.kept.payment.ref, back.refunded, back.questions) == ("txn_2", 0, ())


def test_a_reversed_chargeback_gives_back_once_however_it_is_told() -> None:
    refund = adjusted("adj_1", GOOD, 300)
    taken = adjusted("adj_2", GOOD, 900, kind="chargeback")
    reversal = adjusted("adj_3", GOOD, 900, kind="chargeback_reverse")
    state = adjusted("adj_2", GOOD, 900, kind="chargeback", status="reversed")
    assert gone_of(GOOD, [refund, taken]).total == 1200
    for facts in ([refund, taken, reversal], [refund, state], [refund, state, reversal]):
        gone = gone_of(GOOD, facts)
        assert (gone.refunded, gone.charged_back) == (300, 0)
    assert gone_of(GOOD, [adjusted("adj_4", GOOD, kind="chargeback_warning")]).total == 0


def test_what_went_back_in_another_currency_is_not_counted_and_is_shown() -> None:
    wanted = target(AGREED, [known(GOOD)], [adjusted("adj_1", GOOD, currency="EUR")])
    assert wanted.refunded == 0
    assert "another currency" in wanted.questions[0][2]


def test_what_is_left_counts_what_is_pending_and_asked() -> None:
    gone = gone_of(GOOD, [adjusted("adj_1", GOOD, 200), adjusted("adj_2", GOOD, 100, status="pending")])
    assert left_of(GOOD, gone) == 900
    assert left_of(GOOD, gone, asked=850) == 50
    assert left_of(GOOD, gone, asked=5000) == 0


def test_money_that_buys_nothing_and_went_back_ends_as_a_refund() -> None:
    wrong = paid(ORDER, "txn_1", 1000, currency="EUR")
    wanted = target(AGREED, [known(wrong)], [adjusted("adj_1", wrong)])
    assert (wanted.kept, wanted.questions, wanted.returned) == (None, (), True)
    steps: list[tuple[Any, tuple[str, ...]]] = [
        ("checkout_open", ("question", "refund")),
        ("review", ("refund",)),
        ("duplicate_paid", ("refund",)),
        ("refunded", ()),
    ]
    for state, events in steps:
        assert before_credit(state, wanted, credited=False) == events


@pytest.mark.parametrize(
    ("back", "kind", "event", "place"),
    [
        (0, "refund", "reinstate", "activated"),
        (1, "refund", "refund_part", "partially_refunded"),
        (1199, "refund", "refund_part", "partially_refunded"),
        (1200, "refund", "refund", "refunded"),
        (1, "chargeback", "charge_back", "charged_back"),
        (1200, "chargeback", "charge_back", "charged_back"),
    ],
)
def test_credit_that_was_granted_follows_what_went_back(back: int, kind: str, event: Any, place: Any) -> None:
    wanted = target(AGREED, [known(GOOD)], [adjusted("adj_1", GOOD, back, kind=kind)])
    elsewhere: Any = "charged_back" if place != "charged_back" else "activated"
    assert after_credit(elsewhere, wanted, credited=True) == event
    assert transition(elsewhere, event, credited=True).after == place
    assert after_credit(place, wanted, credited=True) is None
    assert after_credit("paid", wanted, credited=True) is None


def test_an_order_that_was_cancelled_is_not_paid_behind_its_back() -> None:
    given_up = Agreed(order_id=ORDER, provider="paddle", pin=AGREED.pin, given_up=True)
    wanted = target(given_up, [known(GOOD)], [])
    assert before_credit("cancelled", wanted, credited=False) == ("question",)
    accepted = target(given_up, [known(GOOD, decision="accepted")], [])
    assert before_credit("cancelled", accepted, credited=False) == ("pay", "pay")


STATUSES = st.sampled_from(["open", "paid", "completed", "failed", "cancelled"])
PAYMENTS = st.builds(
    lambda ref, status, at, subtotal, order: paid(order, ref, 1000, status=status, occurred_at=at, subtotal=subtotal),
    st.sampled_from(["txn_1", "txn_2"]),
    STATUSES,
    st.integers(0, 4),
    st.sampled_from([1000, 1]),
    st.sampled_from([ORDER, "ord_2", None]),
)
ADJUSTMENTS = st.builds(
    lambda ref, of, total, kind, status, at: adjusted(
        ref, paid(ORDER, of, 1000), total, kind=kind, status=status, occurred_at=at
    ),
    st.sampled_from(["adj_1", "adj_2", "adj_3"]),
    st.sampled_from(["txn_1", "txn_2"]),
    st.integers(0, 1500),
    st.sampled_from(["refund", "chargeback", "chargeback_reverse", "chargeback_warning", "credit"]),
    st.sampled_from(["pending", "approved", "rejected", "reversed"]),
    st.integers(0, 4),
)
FACTS = st.lists(st.one_of(PAYMENTS, ADJUSTMENTS), max_size=9)


def told(facts: list[Any]) -> tuple[list[Known], list[Adjustment]]:
    """What is known after these facts."""
    latest: dict[str, Any] = {}
    for fact in facts:
        latest[fact.ref] = joined(latest[fact.ref], fact) if fact.ref in latest else fact
    payments = [known(fact) for fact in latest.values() if isinstance(fact, Payment)]
    return payments, [fact for fact in latest.values() if isinstance(fact, Adjustment)]


@given(FACTS, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_facts_ends_in_one_target(facts: list[Any], random: Any) -> None:
    shuffled = [*facts, *random.sample(facts, len(facts) // 2)]
    random.shuffle(shuffled)
    assert target(AGREED, *told(shuffled)) == target(AGREED, *told(facts))


@given(FACTS)
def test_no_more_goes_back_than_was_paid_and_only_what_fits_is_kept(facts: list[Any]) -> None:
    payments, adjustments = told(facts)
    wanted = target(AGREED, payments, adjustments)
    assert 0 <= wanted.refunded <= max(wanted.paid, 0)
    if wanted.kept is not None:
        assert doubts(AGREED, wanted.kept) == ()
        assert wanted.kept.payment.status == "completed"


@given(st.lists(FACTS, min_size=1, max_size=4))
def test_the_order_reaches_its_target_from_wherever_it_is(rounds: list[list[Any]]) -> None:
    """Each round brings more facts; the steps are those of the state machine, and a second look finds none to take."""
    facts: list[Any] = []
    state: Any = "checkout_open"
    credited = False
    for more in rounds:
        facts += more
        wanted = target(AGREED, *told(facts))
        for event in before_credit(state, wanted, credited=credited):
            state = transition(state, event, credited=credited).after
        if state == "paid":
            state, credited = "activated", True
        last = after_credit(state, wanted, credited=credited)
        if last is not None:
            state = transition(state, last, credited=credited).after
        assert before_credit(state, wanted, credited=credited) == ()
        assert after_credit(state, wanted, credited=credited) is None
        assert (wanted.kept is not None) <= credited


def test_cash_is_never_more_than_was_paid_whoever_accepted_it() -> None:
    ordered = 1_000 * 10**9
    assert net_cash(paid(ORDER, "txn_1", 100_000, fee=5_000), ordered) == 950 * 10**9
    assert net_cash(paid(ORDER, "txn_1", 100, fee=55), ordered) == 450_000_000
    assert net_cash(paid(ORDER, "txn_1", 100_000, currency="EUR"), ordered) == 0
    assert net_cash(paid(ORDER, "txn_1", 100, fee=200), ordered) == 0


def test_what_a_larger_plan_is_credited_with_is_no_refund() -> None:
    credited = adjusted("adj_1", GOOD, 500, kind="credit", reason="subscription_update")
    assert gone_of(GOOD, [credited]).total == 0
    assert gone_of(GOOD, [adjusted("adj_1", GOOD, 500, kind="credit")]).total == 500


def test_what_a_subscription_began_with_is_not_forgotten() -> None:
    created = Subscription(ref="sub_1", status="active", occurred_at=1, price_ref="p", quantity=1, payment_ref="txn_1")
    updated = Subscription(ref="sub_1", status="active", occurred_at=2, price_ref="q", quantity=1)
    known = joined(created, updated)
    assert known == joined(updated, created) == joined(known, created)
    assert (known.price_ref, known.payment_ref) == ("q", "txn_1")
