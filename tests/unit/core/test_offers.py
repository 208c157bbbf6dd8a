"""What offers come to: bonus tiers at and around their edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.money import parse_amount
from reseller_kit.core.offers import CENT_NANO, bonus, split, whole_cents

TERMS = {"bonus": [{"from": "50.00", "percent": "5%"}, {"from": "100.00", "percent": "12.5%"}]}


@pytest.mark.parametrize(
    ("amount", "extra"),
    [("49.99", "0"), ("50.00", "2.50"), ("99.99", "4.99"), ("100.00", "12.50"), ("100.01", "12.50")],
)
def test_the_best_tier_that_is_reached_counts_in_whole_cents(amount: str, extra: str) -> None:
    assert bonus(TERMS, parse_amount(amount)) == parse_amount(extra)


def test_without_tiers_there_is_no_bonus() -> None:
    assert bonus({}, parse_amount("100.00")) == 0
    assert bonus({"bonus": []}, parse_amount("100.00")) == 0


@given(st.integers(1, 10**14), st.integers(1, 10**14))
def test_bought_and_bonus_are_all_that_is_credited(price: int, credited: int) -> None:
    bought, extra = split(price, credited)
    assert bought + extra == credited
    assert 0 <= bought <= price
    assert extra >= 0


@given(st.integers(0, 10**12))
def test_a_bonus_is_whole_cents_and_never_more_than_its_share(amount: int) -> None:
    extra = bonus(TERMS, amount)
    assert extra % CENT_NANO == 0
    assert extra * 1_000 <= amount * 125


@pytest.mark.parametrize(
    ("part", "shown"), [("2.583333333", "2.58"), ("2.585", "2.59"), ("3", "3"), ("-2.585", "-2.58")]
)
def test_a_part_of_a_payment_is_shown_in_cents(part: str, shown: str) -> None:
    assert whole_cents(parse_amount(part, negative=True)) == parse_amount(shown, negative=True)
