"""What a customer may expect of a refund follows from the terms that stood on the page."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.order import CREDITED, STATES
from reseller_kit.core.refund_terms import Bought, refund_terms
from reseller_kit.core.times import DAY_US

ORDER = Bought(
    state="activated", terms={"refund_days": 14}, paid_at=0, price=1000, refunded=0, credits=1200, taken=0, free=900
)


@pytest.mark.parametrize(
    ("terms", "now", "standing"),
    [
        ({"refund_days": 14}, 14 * DAY_US - 1, "open"),
        ({"refund_days": 14}, 14 * DAY_US, "over"),
        ({"refund_days": 0}, 0, "excluded"),
        ({}, 0, "unstated"),
    ],
)
def test_the_days_of_the_terms_count_from_the_payment(terms: dict[str, Any], now: int, standing: str) -> None:
    assert refund_terms(msgspec.structs.replace(ORDER, terms=terms), now).standing == standing


def test_what_is_spent_would_be_owed() -> None:
    found = refund_terms(ORDER, 0)
    assert (found.back, found.takes, found.debt) == (1000, 900, 300)
    part = refund_terms(msgspec.structs.replace(ORDER, refunded=500, taken=600, free=300), 0)
    assert (part.back, part.takes, part.debt) == (500, 300, 300)


def test_what_is_not_paid_gone_back_or_on_its_way_is_not_asked_for_again() -> None:
    for state in STATES:
        found = refund_terms(msgspec.structs.replace(ORDER, state=state), 0)
        assert (found.standing == "nothing") == (state not in CREDITED - {"charged_back"}), state
    assert refund_terms(msgspec.structs.replace(ORDER, refunded=1000), 0).standing == "nothing"
    assert refund_terms(msgspec.structs.replace(ORDER, pending=1000), 0).standing == "nothing"


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 1000))
def test_credit_is_taken_or_owed_and_never_twice(taken: int, free: int, refunded: int) -> None:
    found = refund_terms(msgspec.structs.replace(ORDER, taken=taken, free=free, refunded=refunded), 0)
    assert found.takes + found.debt == (max(0, 1200 - taken) if found.back else 0)
    assert found.takes <= free
