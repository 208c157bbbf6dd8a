"""Counts the input of a whole request, in whatever dialect it came, from its texts and media. Knows no dialect.

Two figures: an estimate, for `count_tokens` and for calls without a report, and a bound, for holds. Sources: OpenAI
Cookbook, "How to count tokens with tiktoken"; Anthropic, "Tool use" (tokens of the tool-use system prompt).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Final

from ..wire.media import Medium, token_bound, token_estimate
from .counting import count_text

_TOKENS_PER_MESSAGE: Final = 4
_PRIMING_TOKENS: Final = 3
_TOKENS_PER_TOOL: Final = 8
_TOOL_PROMPT_TOKENS: Final = 350
_MOST_PER_MESSAGE: Final = 16
_MOST_PER_TOOL: Final = 32
_MOST_PRIMING: Final = 64
_MOST_TOOL_PROMPT: Final = 1_000
_FACTORS: Final = (
    (re.compile(r"claude", re.IGNORECASE), Fraction(13, 10)),
    (re.compile(r"gemini|gemma", re.IGNORECASE), Fraction(11, 10)),
)
"""Makers that publish no vocabulary count more tokens for English and code than OpenAI's newest; on the high side."""


def estimate_input(
    model: str, texts: Iterable[str], *, media: Iterable[Medium] = (), messages: int = 1, tools: int = 0
) -> int:
    """About how many input tokens a request has for `model`.

    `texts`: all that the model reads, in order, the JSON of tools and schemas included; each text counts alone, so a
    request that grows by messages never counts less. `messages` and `tools`: how many there are. The texts are
    counted exactly for OpenAI's models, and from the same vocabularies with a factor for others (docs/metering.md).
    """
    counted = most = 0
    for text in texts:
        counted += count_text(model, text)
        most += _most_of(text)
    frame = _PRIMING_TOKENS + _TOKENS_PER_MESSAGE * messages
    if tools:
        frame += _TOOL_PROMPT_TOKENS + _TOKENS_PER_TOOL * tools
    return min(ceil(counted * _factor(model)), most) + frame + sum(map(token_estimate, media))


def bound_input(texts: Iterable[str], *, media: Iterable[Medium] = (), messages: int = 1, tools: int = 0) -> int:
    """The most input tokens that a request can have, for any model: it loads no vocabulary and takes microseconds.

    A token of text stands for at least one byte of UTF-8, whatever the vocabulary; each text may get one more, as
    some mark its beginning. Takes what `estimate_input` takes, and is never below it.
    """
    bound = _MOST_PRIMING + _MOST_PER_MESSAGE * messages
    if tools:
        bound += _MOST_TOOL_PROMPT + _MOST_PER_TOOL * tools
    return bound + sum(map(_most_of, texts)) + sum(map(token_bound, media))


def _most_of(text: str) -> int:
    return 1 + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def _factor(model: str) -> Fraction:
    return next((factor for maker, factor in _FACTORS if maker.search(model)), Fraction(1))
