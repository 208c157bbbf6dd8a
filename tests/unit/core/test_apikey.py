from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.apikey import MAX_LENGTH, generate, is_prefix, is_well_formed, shown_part

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("prefix", ["sk", "aurora", "a", "sk-live-2026", "abcdefghijklmnop"])
def test_a_new_key_is_well_formed(prefix: str) -> None:
    key = generate(prefix)
    assert is_prefix(prefix)
    assert is_well_formed(key)
    assert key.startswith(prefix + "_")
    assert len(key) == len(prefix) + 1 + 36 <= MAX_LENGTH


def test_no_two_keys_are_alike() -> None:
    assert len({generate("sk") for _ in range(100)}) == 100


@given(st.data())
def test_one_wrong_character_is_noticed(data: st.DataObject) -> None:
    key = generate("sk")
    place = data.draw(st.integers(3, len(key) - 1))
    drawn = data.draw(st.integers(0, len(ALPHABET) - 2))
    other = ALPHABET.replace(key[place], "")[drawn]
    assert not is_well_formed(key[:place] + other + key[place + 1 :])


@given(st.text(max_size=80))
def test_no_text_breaks_the_check(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize("change", ["{}\n", " {}", "{}0", "{}é", "x{}"])
def test_a_key_with_something_around_it_is_none(change: str) -> None:
    assert not is_well_formed(change.format(generate("sk")))


@pytest.mark.parametrize("prefix", ["", "Sk", "1sk", "-sk", "s_k", "s k", "ß", "abcdefghijklmnopq", "sk\n"])
def test_what_is_no_prefix(prefix: str) -> None:
    assert not is_prefix(prefix)


def test_the_shown_part_tells_nothing_of_the_rest() -> None:
    key = generate("sk-live")
    assert shown_part(key) == key[: len("sk-live_") + 6]
