"""Embeddings: the same text has the same vector of length 1, in whatever dialect and size."""

from __future__ import annotations

import hashlib
import math


def vector(text: str, size: int) -> list[float]:
    """A vector of `size` numbers that depends on nothing but the text."""
    raw = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(size)
    numbers = [byte - 127.5 for byte in raw]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]
