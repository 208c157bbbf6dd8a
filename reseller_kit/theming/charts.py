"""Charts as figures that a template draws: bars and their scale in the coordinates of an SVG. Draws nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ..core.money import format_amount

WIDTH: Final = 720
HEIGHT: Final = 200
_EDGE: Final = 16
_SCALE: Final = 30
_DIGIT: Final = 7
_TOP: Final = 12
_BOTTOM: Final = 24
_GAP: Final = 0.28
_MARKS: Final = 4
_LABELS: Final = 8
_UNITS: Final = (1, 2, 5)


class Point(Struct, frozen=True):
    """One step of a chart: what stands below it, what is told of it, its amount in nano-USD, where it leads."""

    label: str
    title: str
    value: int
    url: str = ""


class Bar(Struct, frozen=True, kw_only=True):
    """A bar. `label` is empty where there is no room for it."""

    x: float
    y: float
    width: float
    height: float
    value: int
    label: str
    title: str
    url: str


class Mark(Struct, frozen=True):
    """A line of the scale at an amount in nano-USD."""

    y: float
    value: int


class Chart(Struct, frozen=True, kw_only=True):
    """Bars on a scale from 0, in a field of `width` × `height`; its amounts stand behind `right`, where time ends."""

    width: int
    height: int
    right: int
    base: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]

    @property
    def empty(self) -> bool:
        """Whether no bar has a height."""
        return not any(bar.height for bar in self.bars)

    @property
    def linked(self) -> bool:
        """Whether a bar leads anywhere."""
        return any(bar.url and bar.height for bar in self.bars)


def bars(points: Sequence[Point]) -> Chart:
    """A chart of amounts, each of them at least as high as can be seen unless it is 0."""
    top = _top(max((point.value for point in points), default=0))
    base, right = HEIGHT - _BOTTOM, WIDTH - _room_for(top // _MARKS)
    room = base - _TOP
    slot = (right - _EDGE) / max(len(points), 1)
    every = -(-len(points) // _LABELS)
    drawn = []
    for index, point in enumerate(points):
        height = max(point.value * room / top, 1.5) if point.value > 0 else 0.0
        drawn.append(
            Bar(
                x=round(_EDGE + slot * (index + _GAP / 2), 2),
                y=round(base - height, 2),
                width=round(slot * (1 - _GAP), 2),
                height=round(height, 2),
                value=point.value,
                label=point.label if index % every == 0 else "",
                title=point.title,
                url=point.url,
            )
        )
    step = top // _MARKS
    marks = tuple(Mark(round(base - step * number * room / top, 2), step * number) for number in range(_MARKS + 1))
    return Chart(width=WIDTH, height=HEIGHT, right=right, base=base, bars=tuple(drawn), marks=marks)


def _room_for(step: int) -> int:
    """How wide the amounts of the scale are: small ones have many digits, and some languages a sign more."""
    return _SCALE + _DIGIT * len(format_amount(step))


def _top(highest: int) -> int:
    """The end of a scale of round steps that an amount fits under."""
    if highest <= 0:
        return _MARKS * 10**9
    unit = 1
    while True:
        for factor in _UNITS:
            if factor * unit * _MARKS >= highest:
                return factor * unit * _MARKS
        unit *= 10
