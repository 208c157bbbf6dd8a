"""Offline token counting."""

from __future__ import annotations

from .counting import EXACT_CHARACTERS, count_text, tokenizer_of, warm
from .growing import GrowingCount

__all__ = ["EXACT_CHARACTERS", "GrowingCount", "count_text", "tokenizer_of", "warm"]
