"""Orders move only along the states that make sense, and money that arrived never gets lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import Conflict
from reseller_kit.core.order import (
    CREDITED,
    GIVEN_UP,
    STATES,
    UNPAID,
    OrderEvent,
    Transition,
    allowed,
    refund_event,
    transition,
)

EVENTS = get_args(OrderEvent)


def _walk(events: list[Any]) -> list[Any]:
    """The states that a draft goes through; events that make no sense change nothing."""
    states: list[Any] = ["draft"]
    for event in events:
        credited = "activated" in states
        if event in allowed(states[-1], credited=credited):
            states.append(transition(states[-1], event, credited=credited).after)
    return states


def test_a_sale_goes_its_way() -> None:
    assert _walk(["open", "pay", "activate", "refund_part", "refund"]) == [
        "draft",
        "checkout_open",
        "paid",
        "activated",
        "partially_refunded",
        "refunded",
    ]


def test_a_change_names_its_event_and_the_states_before_and_after() -> None:
    assert transition("paid", "activate") == Transition(event="activate", before="paid", after="activated")


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_credit_is_granted_at_most_once_and_only_for_what_was_paid(events: list[Any]) -> None:
    states = _walk(events)
    granted = [pair for pair in pairwise(states) if pair[1] == "activated" and pair[0] in {"paid", "activation_failed"}]
    assert len(granted) == ("activated" in states)
    if "activated" in states:
        assert "paid" in states[: states.index("activated")]


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_nothing_that_was_credited_lapses_or_is_paid_again(events: list[Any]) -> None:
    states = _walk(events)
    if "activated" in states:
        behind = states[states.index("activated") :]
        assert not set(behind) - CREDITED


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_what_was_paid_ends_only_in_credit_or_a_refund_or_before_somebody(events: list[Any]) -> None:
    states = _walk(events)
    if "paid" in states:
        behind = set(states[states.index("paid") :])
        assert not behind & (UNPAID | {"lapsed"})


@pytest.mark.parametrize("state", sorted(GIVEN_UP))
def test_money_for_an_order_that_was_given_up_is_not_ignored(state: Any) -> None:
    assert "pay" in allowed(state)
    assert transition(state, "pay").after in {"paid", "review"}


@pytest.mark.parametrize("state", STATES)
def test_every_state_refuses_what_makes_no_sense_and_says_so(state: Any) -> None:
    for event in set(EVENTS) - allowed(state):
        with pytest.raises(Conflict, match="cannot"):
            transition(state, event)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_is_refunded_in_all_decides_the_event(paid: int, refunded: int) -> None:
    event = refund_event(paid, refunded)
    assert (event == "reinstate") == (refunded == 0)
    assert (event == "refund") == (refunded >= paid)
