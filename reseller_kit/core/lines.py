"""Which texts of people are one line that can be shown: no control characters, but the marks that writing needs."""

from __future__ import annotations

from typing import Final

_MARKS: Final = frozenset("\u061c\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Joiners, of which emoji and Persian words are made, and the marks of a direction of writing."""


def is_shown(character: str) -> bool:
    """Whether a character is printable or such a mark."""
    return character.isprintable() or character in _MARKS


def cleaned(text: str) -> str:
    """A text of several lines as it is kept: its lines, without characters that no text has."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(character for character in lines if character in "\n\t" or is_shown(character)).strip()


def is_line(text: str) -> bool:
    """Whether every character is printable or such a mark. A text of marks alone is none."""
    bare = "".join(character for character in text if character not in _MARKS)
    return bare.isprintable() and (bool(bare) or not text)
