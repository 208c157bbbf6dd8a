"""Rows as parameters of PostgreSQL: one array a column, in a shape that asyncpg is quick with. Talks to no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .rows import Row


class Flat:
    """The elements of an array parameter, none of which is an array itself.

    asyncpg walks an array twice, at first only to look for arrays in it. That costs more than all the rest: three
    checks against abstract classes for each element. So the first walk finds nothing.
    """

    __slots__ = ("_elements", "_walked")

    def __init__(self, elements: Sequence[Any]) -> None:
        self._elements = elements
        self._walked = False

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[Any]:
        walked, self._walked = self._walked, True
        return iter(self._elements if walked else ())


def array(elements: Sequence[Any]) -> Flat | None:
    """An array parameter; NULL without elements, which costs nothing on either side."""
    return Flat(elements) if elements else None


def columns(rows: Sequence[Row], number: int) -> list[Flat]:
    """One array a column, empty ones without rows."""
    return transposed(rows) or [Flat(()) for _ in range(number)]


def transposed(rows: Sequence[Row]) -> list[Flat]:
    """One array a column; none at all without rows."""
    return [Flat(column) for column in zip(*rows, strict=True)]
