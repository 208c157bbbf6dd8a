"""In which order letters are seen whose scripts run from right to left. Knows neither fonts nor pages.

The rules of Unicode Standard Annex 9 for one line of plain text without embedding marks: strong letters, numbers, what
stands between them, and the order of what results. In one thing it is kinder: a number with hyphens, as receipts have,
stays one number behind Arabic letters too.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby, pairwise
from typing import Final

from msgspec import Struct

_STRONG: Final = {"L": "L", "R": "R", "AL": "R"}
_NUMBERS: Final = frozenset({"EN", "AN"})
_SIDES: Final = dict.fromkeys(map(ord, "\u061c\u200e\u200f"))
"""Marks that count as a letter of their side and are never seen: those of amounts in languages of the right."""
_STEERING: Final = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""What turns the order of all that follows: a name from outside must not steer a receipt."""


class Stretch(Struct, frozen=True):
    """Letters that run one way, in the order in which they are read."""

    text: str
    backwards: bool


def stretches(words: str, *, right_to_left: bool = False) -> list[Stretch]:
    """The words as seen from left to right, on a line that begins at the left or at the right edge."""
    words = words.translate(_STEERING)
    base = 1 if right_to_left else 0
    levels = [_level(kind, base) for kind in _resolved(words, "R" if right_to_left else "L")]
    runs: list[tuple[int, str]] = []
    at = 0
    for level, same in groupby(levels):
        end = at + len(list(same))
        runs.append((level, words[at:end]))
        at = end
    for floor in range(max(levels, default=0), 0, -1):
        runs = _turned(runs, floor)
    return [Stretch(text.translate(_SIDES), level % 2 == 1) for level, text in runs]


def _turned(runs: list[tuple[int, str]], floor: int) -> list[tuple[int, str]]:
    """Runs of at least that level stand in the opposite order, each group of them for itself."""
    turned: list[tuple[int, str]] = []
    for high, group in groupby(runs, lambda run: run[0] >= floor):
        found = list(group)
        turned += reversed(found) if high else found
    return turned


def _level(kind: str, base: int) -> int:
    if kind == "L":
        return base * 2
    return 2 if kind in _NUMBERS else 1


def _resolved(words: str, edge: str) -> list[str]:
    """Of each letter L, R, EN or AN: what is neutral goes with what stands around it, else with the line."""
    kinds = _numbered([unicodedata.bidirectional(letter) for letter in words], edge)
    resolved: list[str] = []
    side = edge
    at = 0
    for neutral, same in groupby(kinds, lambda kind: kind == "N"):
        found = list(same)
        at += len(found)
        if neutral:
            after = _side(kinds[at]) if at < len(kinds) else edge
            found = [side if side == after else edge] * len(found)
        else:
            side = _side(found[-1])
        resolved += found
    return resolved


def _numbered(kinds: list[str], edge: str) -> list[str]:
    """Marks take the kind of their letter, numbers that of the script before them, signs that of their numbers."""
    strong = edge
    for at, kind in enumerate(kinds):
        if kind == "NSM":
            kinds[at] = kinds[at - 1] if at else edge
        elif kind in _STRONG:
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[at] = "AN"
    _signs(kinds)
    strong = edge
    for at, kind in enumerate(kinds):
        if kind in _STRONG:
            strong = kinds[at] = _STRONG[kind]
        elif kind == "EN" and strong == "L":
            kinds[at] = "L"
        elif kind not in _NUMBERS:
            kinds[at] = "N"
    return kinds


def _signs(kinds: list[str]) -> None:
    for at in range(1, len(kinds) - 1):
        before, kind, after = kinds[at - 1 : at + 2]
        if before == after and after in _NUMBERS and kind in {"CS", "ES"}:
            kinds[at] = after
    for order in (1, -1):  # signs of currency and percent stand at either side of their number
        places = range(len(kinds))[::order]
        for before_at, at in pairwise(places):
            if kinds[at] == "ET" and kinds[before_at] == "EN":
                kinds[at] = "EN"


def _side(kind: str) -> str:
    """How a neighbour sees it: numbers belong to the right-to-left side."""
    return "L" if kind == "L" else "R"
