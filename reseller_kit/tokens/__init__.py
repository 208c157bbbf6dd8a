"""Offline token counting."""

from __future__ import annotations

from .counting import EXACT_CHARACTERS, count_text, tokenizer_of, warm
from .growing import GrowingCount
from .requests import bound_input, estimate_input

__all__ = ["EXACT_CHARACTERS", "GrowingCount", "bound_input", "count_text", "estimate_input", "tokenizer_of", "warm"]
