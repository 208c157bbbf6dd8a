"""Charts as figures that a template draws: bars and their scale in the coordinates of an SVG. Draws nothing itself.

What is drawn are amounts in nano-USD, or counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ..core.money import NANO, format_amount

WIDTH: Final = 720
HEIGHT: Final = 200
_EDGE: Final = 16
_SCALE: Final = 42
_DIGIT: Final = 7
"""Room of the scale: a gap and what languages write beside an amount, as ` US$`; and each digit."""
_TOP: Final = 12
_BOTTOM: Final = 24
_GAP: Final = 0.28
_MARKS: Final = 4
_LABELS: Final = 8
_TENTHS: Final = (10, 20, 25, 40, 50)
"""Of a power of ten: the steps that a scale may have, where they are whole."""


class Point(Struct, frozen=True):
    """One step of a chart: what stands below it, what is told of it, its value, where it leads.

    `part`: what of the value is drawn in another colour, from the base up.
    """

    label: str
    title: str
    value: int
    url: str = ""
    part: int = 0


class Bar(Struct, frozen=True, kw_only=True):
    """A bar. `label` is empty where there is no room for it; `part_y` and `part_height` are those of its part."""

    x: float
    y: float
    width: float
    height: float
    value: int
    label: str
    title: str
    url: str
    part: int = 0
    part_y: float = 0.0
    part_height: float = 0.0


class Mark(Struct, frozen=True):
    """A line of the scale at a value."""

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


def bars(points: Sequence[Point], *, counts: bool = False) -> Chart:
    """A chart of amounts, or of counts, each of them at least as high as can be seen unless it is 0."""
    top = _top(max((point.value for point in points), default=0), _MARKS if counts else _MARKS * NANO)
    room_for_scale = _SCALE + _DIGIT * len(f"{top:,}" if counts else format_amount(top // _MARKS))
    base, right = HEIGHT - _BOTTOM, WIDTH - room_for_scale
    room = base - _TOP
    slot = (right - _EDGE) / max(len(points), 1)
    every = -(-len(points) // _LABELS)
    drawn = []
    for index, point in enumerate(points):
        height = max(point.value * room / top, 1.5) if point.value > 0 else 0.0
        part_height = max(point.part * room / top, 1.5) if point.part > 0 else 0.0
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
                part=point.part,
                part_y=round(base - part_height, 2),
                part_height=round(part_height, 2),
            )
        )
    step = top // _MARKS
    marks = tuple(Mark(round(base - step * number * room / top, 2), step * number) for number in range(_MARKS + 1))
    return Chart(width=WIDTH, height=HEIGHT, right=right, base=base, bars=tuple(drawn), marks=marks)


def _top(highest: int, without: int) -> int:
    """The end of a scale of round steps that a value fits under; `without` where there is none."""
    if highest <= 0:
        return without
    unit = 1
    while True:
        for tenths in _TENTHS:
            if tenths * unit % 10 == 0 and tenths * unit // 10 * _MARKS >= highest:
                return tenths * unit // 10 * _MARKS
        unit *= 10
