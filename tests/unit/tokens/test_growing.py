"""A text that is counted while it grows counts like the same text at once."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.tokens import GrowingCount, count_text

MODELS = ("gpt-5-mini", "gpt-4")
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["the", " quick", " brown ", "  fox", "\n", "\r\n\n", "'s", "don't", " 12345", "!?", "/", "\t"]
        ),
        st.text(max_size=12),
    ),
    max_size=40,
)


@given(PIECES, st.sampled_from(MODELS))
def test_it_counts_as_the_whole_does(pieces: list[str], model: str) -> None:
    counter = GrowingCount(model)
    for text in accumulate(pieces):
        assert counter.of(text) == count_text(model, text)


@pytest.mark.parametrize("model", MODELS)
def test_many_looks_lose_nothing(model: str) -> None:
    counter, text, counted = GrowingCount(model), "", 0
    for _ in range(500):
        text += " quick brown"
        counted = counter.of(text)
    assert counted == count_text(model, text) == 1000


def test_a_text_without_blanks_loses_a_token_a_cut_at_most() -> None:
    counter, text, looks, counted = GrowingCount("gpt-5-mini"), "", 20, 0
    for _ in range(looks):
        text += "数字化转型" * 1000
        counted = counter.of(text)
        assert counted <= count_text("gpt-5-mini", text)
    assert counted >= count_text("gpt-5-mini", text) - 2 * looks
