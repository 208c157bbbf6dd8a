"""One usage report of an upstream under interpretation: finds figures, whatever they look like. Knows no dialect."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from msgspec import Raw

from ..core.usage import ABSURD

_DECODER: Final = msgspec.json.Decoder()


def members_of(report: bytes | Raw) -> dict[str, Any] | None:
    """The report as a dictionary; None if it is no JSON object. Raises nothing."""
    try:
        found = _DECODER.decode(report)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, dict) else None


class UsageReport:
    """Reads figures and notes in `irregular` whether any of them is unsound.

    A figure is a whole number from 0 to `ABSURD`. Fractions are rounded up; what is too large is `ABSURD`, anything
    else 0, and both are irregular. An absent figure and null are 0.
    """

    __slots__ = ("irregular", "members")

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        self.irregular = False

    def part(self, *names: str) -> dict[str, Any]:
        """The first of these members that is an object, else nothing."""
        for name in names:
            value = self.members.get(name)
            if isinstance(value, dict):
                return value
        return {}

    def has(self, *names: str) -> bool:
        """Whether any of these members is there with a value."""
        return any(self.members.get(name) is not None for name in names)

    def figure(self, *names: str) -> int:
        """The first of these members that is not nothing, at the top level."""
        return self.figure_in(self.members, *names)

    def figure_in(self, part: dict[str, Any], *names: str) -> int:
        """The first of these members of `part` that is not nothing."""
        for name in names:
            value = part.get(name)
            if value:
                return self.whole(value)
        return 0

    def at_most(self, value: int, bound: int) -> int:
        """A part is not larger than its whole."""
        if value > bound:
            self.irregular = True
            return bound
        return value

    def whole(self, value: Any) -> int:
        """A value as a figure."""
        if type(value) is int and 0 <= value < ABSURD:
            return value
        self.irregular = True
        if type(value) is int:
            return ABSURD if value > 0 else 0
        if isinstance(value, float) and 0 < value < ABSURD:
            return math.ceil(value)
        return 0
