"""Amounts, numbers and days as each language writes them, with every digit that they have."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core import money
from reseller_kit.theming import locale

LANGUAGES = ("en", "de", "es", "zh", "ar", "pt-BR")


@pytest.mark.parametrize(
    ("lang", "amount", "currency", "number"),
    [
        ("en", "1,234.567", "$1,234.567", "1,234,567"),
        ("de", "1.234,567", "1.234,567\xa0$", "1.234.567"),
        ("es", "1.234,567", "1.234,567\xa0US$", "1.234.567"),
        ("zh", "1,234.567", "US$1,234.567", "1,234,567"),
        ("ar", "1,234.567", "\u200f1,234.567\xa0US$\u200e", "1,234,567"),
    ],
)
def test_each_language_has_its_own_marks(lang: str, amount: str, currency: str, number: str) -> None:
    assert locale.amount(lang, 1_234_567_000_000) == amount
    assert locale.currency(lang, 1_234_567_000_000) == currency
    assert locale.number(lang, 1_234_567) == number


@given(st.sampled_from(LANGUAGES), st.integers(-(10**18), 10**18))
def test_no_digit_is_lost_or_invented(lang: str, nano: int) -> None:
    digits = re.sub(r"\D", "", money.format_amount(nano))
    for written in (
        locale.amount(lang, nano),
        locale.currency(lang, nano),
        locale.amount(lang, money.format_amount(nano)),
    ):
        assert re.sub(r"[^0-9]", "", written) == digits, "European digits, all of them"
        assert ("-" in written) == (nano < 0)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_days_and_moments_are_written(lang: str) -> None:
    at = dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)
    assert "2026" in locale.day(lang, at.date())
    assert locale.local_moment(lang, at.astimezone(ZoneInfo("Asia/Tokyo"))) != locale.local_moment(lang, at)
    assert locale.short_day(lang, at.date())


@pytest.mark.parametrize(
    ("lang", "written"),
    [
        ("en", "1 Mar 2026, 08:05"),
        ("de", "01.03.2026, 08:05"),
        ("es", "1 mar 2026, 8:05"),
        ("zh", "2026年3月1日 08:05"),
        ("ar", "01\u200f/03\u200f/2026، 8:05 ص"),
    ],
)
def test_a_moment_is_told_to_the_minute(lang: str, written: str) -> None:
    assert locale.local_moment(lang, dt.datetime(2026, 3, 1, 8, 5, 59, tzinfo=dt.UTC)) == written


def test_a_language_is_named_in_itself() -> None:
    names = [locale.language_name(lang) for lang in LANGUAGES]
    assert names == ["English", "Deutsch", "Español", "中文", "العربية", "Português (Brasil)"]


@pytest.mark.parametrize(
    ("lang", "name", "like"),
    [
        ("de-XX", "Deutsch", "de"),
        ("zh-Hant-XX", "中文 (繁體)", "zh-Hant"),
        ("xx", "xx", "en-GB"),
        ("tlh-US", "tlh-US", "en-GB"),
    ],
)
def test_a_language_that_no_table_knows_is_written_like_its_nearest_one(lang: str, name: str, like: str) -> None:
    moment = dt.datetime(2026, 3, 1, 8, 5, 59, tzinfo=dt.UTC)
    assert locale.language_name(lang) == name
    assert locale.local_moment(lang, moment) == locale.local_moment(like, moment)
    assert locale.currency(lang, "1234.50") == locale.currency(like, "1234.50")


@pytest.mark.parametrize(
    ("nano", "half_up", "down"),
    [(4_999_668_700, "$5.00", "$4.99"), (999_960_000, "$1.00", "$0.9999"), (5_000_000_000, "$5.00", "$5.00")],
)
def test_what_somebody_has_is_never_told_as_more(nano: int, half_up: str, down: str) -> None:
    assert locale.short_currency("en", nano) == half_up
    assert locale.short_currency("en", nano, down=True) == down
