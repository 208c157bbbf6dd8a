"""Offline token counting."""

from __future__ import annotations

from .counting import EXACT_CHARACTERS, count_text, tokenizer_of, warm

__all__ = ["EXACT_CHARACTERS", "count_text", "tokenizer_of", "warm"]
