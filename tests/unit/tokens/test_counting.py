"""Counts of known texts, bounds in length, and texts that no tokenizer expects."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.tokens import EXACT_CHARACTERS, count_text, tokenizer_of, warm


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    warm()
    warm("gpt-4")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("tiktoken is great!", 6), ("<|endoftext|>", 7), ("a" * 8, 1)],
)
def test_known_texts_have_their_published_count(text: str, tokens: int) -> None:
    assert count_text("gpt-5-mini", text) == tokens


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("openai/gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("claude-opus-4", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_the_vocabulary_follows_the_model(model: str, name: str) -> None:
    assert tokenizer_of(model) == name


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_has_at_most_one_token_a_byte(text: str) -> None:
    count = count_text("gpt-5", text)
    assert (count > 0) == bool(text)
    assert count <= len(text.encode("utf-8", "surrogatepass"))


def test_a_text_in_chunks_counts_about_the_same_and_never_less() -> None:
    paragraph = "The quick brown fox jumps over the lazy dog, again and again.\n"
    one = count_text("gpt-5", paragraph)
    repeats = 1000
    count = count_text("gpt-5", paragraph * repeats)
    assert one * repeats <= count <= one * repeats + len(paragraph) * repeats // 16_384 + 1


def test_a_very_long_text_is_sampled_within_a_second_of_work_and_close_to_the_truth() -> None:
    half = "word " * EXACT_CHARACTERS
    text = half + "漢字" * (len(half) // 2)
    started = time.thread_time()
    sampled = count_text("gpt-5", text)
    assert time.thread_time() - started < 1.0
    per_word, per_pair = 1, count_text("gpt-5", "漢字" * 8000) / 8000
    truth = per_word * len(half) // 5 + per_pair * (len(half) // 2)
    assert truth * 0.9 <= sampled <= truth * 1.1


def test_no_vocabulary_is_loaded_twice() -> None:
    counted = "from reseller_kit.tokens import count_text; assert count_text('gpt-5', 'hello world') == 2"
    layer = "import sys; sys.exit('bpe_openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"{counted}\n{layer}"], check=False).returncode == 0
