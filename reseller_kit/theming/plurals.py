"""Texts that follow a number: one form for each that their language knows. Reads no catalogue."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping, Sequence
from typing import Self

_DIGITS_AT_MOST = 15


class Plural(str):
    """A text of several forms, chosen by the value that is named `by`; as a plain text it is the last form.

    `rule` is the catalogue's own, as in its header `Plural-Forms`.
    """

    __slots__ = ("_rule", "by", "forms")

    _rule: Callable[[int], int]
    by: str
    forms: tuple[str, ...]

    def __new__(cls, forms: Sequence[str], by: str, rule: str) -> Self:
        """Raises ValueError for a rule that is none."""
        made = super().__new__(cls, forms[-1])
        made.forms, made.by, made._rule = tuple(forms), by, gettext.c2py(rule)
        return made

    def form(self, values: Mapping[str, object]) -> str:
        """The form for the number among these values, which may be written with separators already."""
        digits = "".join(filter(str.isdecimal, str(values[self.by])))
        return self.forms[min(self._rule(int(digits[-_DIGITS_AT_MOST:] or "0")), len(self.forms) - 1)]
