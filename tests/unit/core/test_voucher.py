"""Voucher codes: easy to type, and a typing error is seen without asking anyone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core import voucher

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def test_a_code_has_four_groups_of_letters_that_nobody_mixes_up() -> None:
    codes = {voucher.generate() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert not set(code) & set("01ILO")
        assert voucher.canonical(code) == code
        assert voucher.shown_part(code) == code[:4]


@pytest.mark.parametrize("retype", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} ".lower()])
def test_a_code_may_be_typed_in_any_way(retype: object) -> None:
    code = voucher.generate()
    assert callable(retype)
    assert voucher.canonical(retype(code)) == code


def test_a_code_may_be_typed_with_spaces_up_to_64_characters() -> None:
    code = voucher.generate()
    assert voucher.canonical(code.ljust(64)) == code
    assert voucher.canonical(code.ljust(65)) is None


@given(st.data())
def test_one_wrong_character_is_always_seen(data: st.DataObject) -> None:
    code = voucher.generate().replace("-", "")
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from(sorted(set(ALPHABET) - {code[place]})))
    assert voucher.canonical(code[:place] + other + code[place + 1 :]) is None


@given(st.data())
def test_two_swapped_characters_are_always_seen(data: st.DataObject) -> None:
    code = voucher.generate().replace("-", "")
    first, second = sorted(data.draw(st.lists(st.integers(0, 15), min_size=2, max_size=2, unique=True)))
    swapped = list(code)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    expected = voucher.canonical(code) if code[first] == code[second] else None
    assert voucher.canonical("".join(swapped)) == expected


@pytest.mark.parametrize("typed", ["", "-", "ABCD", "0" * 16, "A" * 17, "Ä" * 16, "A-" * 5000, "\x00" * 16, "٣" * 16])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert voucher.canonical(typed) is None


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_none(typed: str) -> None:
    found = voucher.canonical(typed)
    assert found is None or voucher.canonical(found) == found
