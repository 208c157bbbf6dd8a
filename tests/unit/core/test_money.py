from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidAmount
from reseller_kit.core.money import (
    MAX_AMOUNT_NANO,
    MAX_PRICE_PICO,
    MAX_TOKEN_PRICE_PICO,
    NANO,
    PPM,
    add_markup,
    charge_nano,
    format_amount,
    format_markup,
    format_token_price,
    format_unit_price,
    parse_amount,
    parse_fee,
    parse_markup,
    parse_token_price,
    parse_unit_price,
    whole_percent,
)

amounts = st.integers(-MAX_AMOUNT_NANO, MAX_AMOUNT_NANO)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0", 0),
        ("0.00", 0),
        ("12.5", 12_500_000_000),
        ("0.000000001", 1),
        ("007.10", 7_100_000_000),
        ("1.2500000000", 1_250_000_000),
        ("1000000000", MAX_AMOUNT_NANO),
    ],
)
def test_an_amount_is_read_exactly(text: str, nano: int) -> None:
    assert parse_amount(text) == nano


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "1.", ".5", "+1", "1e3", "1_000", "1,000", " 1", "1\n", "0x10", "\u0661", "1.0000000001",
        "NaN", "Infinity", "--1", "$1", "1000000000.000000001", "9999999999999999", 1, 1.5, True, None, b"1",
    ],
)  # fmt: skip
def test_what_is_no_plain_decimal_is_refused(text: object) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(text)


@pytest.mark.parametrize("digits", [15, 16, 20, 40])
def test_too_much_and_too_precise_are_named_as_such(digits: int) -> None:
    with pytest.raises(InvalidAmount, match="too large"):
        parse_amount("9" * digits)
    with pytest.raises(InvalidAmount, match="too precise"):
        parse_amount("0." + "1" * digits)


def test_a_minus_sign_needs_permission() -> None:
    assert parse_amount("-1.5", negative=True) == -1_500_000_000
    assert parse_amount("-0") == 0
    with pytest.raises(InvalidAmount):
        parse_amount("-0.01")
    with pytest.raises(InvalidAmount):
        parse_amount("-1000000001", negative=True)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.00"),
        (12 * NANO, "12.00"),
        (77_000, "0.000077"),
        (1, "0.000000001"),
        (-1_500_000_000, "-1.50"),
        (100_000_000, "0.10"),
    ],
)
def test_an_amount_is_written_with_two_to_nine_decimals(nano: int, text: str) -> None:
    assert format_amount(nano) == text


@given(amounts)
def test_an_amount_survives_its_text(nano: int) -> None:
    text = format_amount(nano)
    assert parse_amount(text, negative=True) == nano
    assert Fraction(text) == Fraction(nano, NANO)
    decimals = text.partition(".")[2]
    assert 2 <= len(decimals) <= 9
    assert len(decimals) == 2 or not decimals.endswith("0")


@given(st.integers(0, MAX_PRICE_PICO))
def test_prices_survive_their_texts(pico: int) -> None:
    assert parse_unit_price(format_unit_price(pico)) == pico
    assert Fraction(format_unit_price(pico)) == Fraction(pico, 10**12)
    assert Fraction(format_token_price(pico)) == Fraction(pico, 10**6)


@given(st.integers(0, MAX_TOKEN_PRICE_PICO))
def test_a_token_price_is_micro_dollars_per_million_tokens(pico: int) -> None:
    assert parse_token_price(format_token_price(pico)) == pico


@pytest.mark.parametrize("text", ["0.0000001", "-1", "1e-6", 0.25, "", "999999999999999"])
def test_a_token_price_that_is_too_fine_or_no_price_is_refused(text: object) -> None:
    with pytest.raises(InvalidAmount):
        parse_token_price(text)


def test_the_largest_prices_are_a_million_dollars() -> None:
    assert parse_unit_price("1000000") == 10**18
    assert parse_token_price("1000000") == 10**12
    for text in ("1000000.000000000001", "1000001"):
        with pytest.raises(InvalidAmount, match="too large"):
            parse_unit_price(text)
    with pytest.raises(InvalidAmount, match="too large"):
        parse_token_price("1000000.000001")


def test_the_largest_amount_is_a_billion_dollars_and_the_largest_markup_a_thousandfold() -> None:
    assert parse_amount("1000000000") == 10**18
    with pytest.raises(InvalidAmount, match="too large"):
        parse_amount("1000000000.000000001")
    assert parse_markup("100000%") == 1_000_000_000
    with pytest.raises(InvalidAmount, match="out of range"):
        parse_markup("100000.0001%")


@pytest.mark.parametrize(
    ("text", "ppm"),
    [("40%", 400_000), ("12.5%", 125_000), ("-5.5%", -55_000), ("0%", 0), ("0.0001%", 1), ("-100%", -PPM)],
)
def test_a_markup_is_parts_per_million(text: str, ppm: int) -> None:
    assert parse_markup(text) == ppm
    assert parse_markup(format_markup(ppm)) == ppm
    assert format_markup(ppm) == text


@pytest.mark.parametrize("text", ["40", "0.4", "40 %", "1e1%", "-100.0001%", "100000.1%", "%", "0.00001%", 40, None])
def test_what_is_no_markup_is_refused(text: object) -> None:
    with pytest.raises(InvalidAmount):
        parse_markup(text)


@given(st.integers(-PPM, 1_000 * PPM))
def test_a_markup_survives_its_text(ppm: int) -> None:
    assert parse_markup(format_markup(ppm)) == ppm


@given(st.integers(0, MAX_PRICE_PICO), st.integers(-PPM, 1_000 * PPM))
def test_a_markup_is_added_exactly_and_rounded_half_up(price: int, ppm: int) -> None:
    exact = Fraction(price) * (PPM + ppm) / PPM
    marked = add_markup(price, ppm)
    assert exact - Fraction(1, 2) < marked <= exact + Fraction(1, 2)
    assert ppm < 0 or marked >= price


@given(st.integers(0, 10**24))
def test_a_charge_is_rounded_up_once(pico: int) -> None:
    nano = charge_nano(pico)
    assert 0 <= nano * 1000 - pico < 1000


def test_a_fee_of_nothing_is_a_fee_and_less_is_not() -> None:
    assert parse_fee("0%") == 0
    with pytest.raises(InvalidAmount):
        parse_fee("-0.0001%")


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(0, 0, 0), (1, 3, 33), (2, 3, 67), (1, 200, 1), (1, 201, 0), (7, 7, 100)]
)
def test_a_part_is_so_many_whole_hundredths_rounded_half_up(part: int, whole: int, percent: int) -> None:
    assert whole_percent(part, whole) == percent
