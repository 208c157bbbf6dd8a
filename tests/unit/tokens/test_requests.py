"""Whole requests: an estimate that grows with them, and a bound that it never passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.tokens import bound_input, count_text, estimate_input, warm
from reseller_kit.wire.media import Medium, token_bound, token_estimate

PROSE = "The quick brown fox jumps over the lazy dog, again and again. " * 20


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    warm()


def test_texts_of_openais_models_count_exactly() -> None:
    assert estimate_input("gpt-5", ["hello world", "tiktoken is great!"], messages=2) == 2 + 6 + 3 + 2 * 4


def test_other_makers_count_with_a_factor_rounded_up() -> None:
    exact = count_text("gpt-5", PROSE)
    assert estimate_input("claude-sonnet-5", [PROSE], messages=0) == -(-exact * 13 // 10) + 3
    assert estimate_input("google/gemini-3-pro", [PROSE], messages=0) == -(-exact * 11 // 10) + 3


def test_tools_and_media_are_in_it() -> None:
    bare = estimate_input("claude-sonnet-5", [PROSE])
    image = Medium("image")
    assert estimate_input("claude-sonnet-5", [PROSE], tools=2) == bare + 350 + 16
    assert estimate_input("claude-sonnet-5", [PROSE], media=[image, image]) == bare + 2 * token_estimate(image)
    assert bound_input([PROSE], media=[image]) == bound_input([PROSE]) + token_bound(image)


@given(
    st.lists(st.text(st.characters(codec=None), max_size=60), max_size=5),
    st.sampled_from(["gpt-5", "gpt-4", "claude-opus-5", "gemini-3"]),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_the_bound_is_never_below_the_estimate(texts: list[str], model: str, messages: int, tools: int) -> None:
    bound = bound_input(texts, messages=messages, tools=tools)
    assert estimate_input(model, texts, messages=messages, tools=tools) <= bound
    assert bound >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_a_request_that_grows_never_counts_less(texts: list[str]) -> None:
    counts = [estimate_input("claude-opus-5", texts[:end], messages=end) for end in range(len(texts) + 1)]
    assert counts == sorted(counts)
