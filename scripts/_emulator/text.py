"""Words: what answers are made of, one word a token. Knows no dialect."""

from __future__ import annotations

import re
from typing import Final

_SENTENCE: Final = "the quick brown fox jumps over a lazy dog while small clouds drift along the shore"
_VOCABULARY: Final = _SENTENCE.split()
_PIECE: Final = re.compile(r"\s*\S+\s*\Z|\s*\S+")


def words(text: str | None, number: int) -> list[str]:
    """At most `number` words that join to `text`; without a text, that many of a fixed sentence."""
    if text is not None:
        return _PIECE.findall(text)[:number]
    size = len(_VOCABULARY)
    return [_VOCABULARY[n % size] if n == 0 else f" {_VOCABULARY[n % size]}" for n in range(number)]
