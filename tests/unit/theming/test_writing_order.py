"""In which order letters are seen: as in the Unicode Standard's Annex 9, and as browsers show the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.theming.writing_order import stretches


def seen(words: str, *, right_to_left: bool = False) -> str:
    """The line as it looks: letters of the right in the opposite order."""
    found = stretches(words, right_to_left=right_to_left)
    return "".join(stretch.text[::-1] if stretch.backwards else stretch.text for stretch in found)


@pytest.mark.parametrize(
    ("words", "at_left", "at_right"),
    [
        ("plain words, 12", "plain words, 12", "plain words, 12"),
        ("אבג", "גבא", "גבא"),
        ("one אב גד two", "one דג בא two", "two דג בא one"),
        ("אב 12 גד", "דג 12 בא", "דג 12 בא"),
        ("עם 10.00 US$", "10.00 םע US$", "$US 10.00 םע"),
        ("شارع 12, x", "12 عراش, x", "x ,12 عراش"),
        ("رقم 2026-00042", "2026-00042 مقر", "2026-00042 مقر"),
        ("نسبة 23%", "23 ةبسن%", "%23 ةبسن"),
        ("(אב)", "(בא)", ")בא("),
        ("", "", ""),
    ],
)
def test_words_are_seen_in_their_order(words: str, at_left: str, at_right: str) -> None:
    assert seen(words) == at_left
    assert seen(words, right_to_left=True) == at_right


def test_marks_of_a_side_count_and_are_not_seen() -> None:
    assert seen("a \u200f!", right_to_left=False) == "a !"
    assert seen("\u200f10 US$", right_to_left=True) == "$US 10"


def test_a_name_steers_nothing_behind_it() -> None:
    assert seen("\u202eevil\u2066 10.00") == "evil 10.00"


@given(st.text(alphabet="ab אבج12-.,%$( )\u200e\u064e王", max_size=30), st.booleans())
def test_no_letter_is_lost(words: str, right_to_left: bool) -> None:  # noqa: FBT001  # a property, not an interface
    assert sorted(seen(words, right_to_left=right_to_left)) == sorted(words.replace("\u200e", ""))
