"""Colours that follow from a theme's tokens, so that no theme or brand has to give them. Invents no token.

Each is made for both schemes and moved until the text or line that lies on it can be read, whatever the brand chose:

| name                                    | what it is                                 | what it keeps             |
| --------------------------------------- | ------------------------------------------ | ------------------------- |
| accent_hover                            | the accent under the pointer               | 4.5 : 1 with on_accent    |
| on_bad                                  | text on color.bad, as on a danger button   | 4.5 : 1                   |
| accent_soft ok_soft warn_soft bad_soft  | a breath of the colour, behind words in it | 4.5 : 1 with it and muted |
| field                                   | the border of something to fill in         | 3 : 1 with every ground   |
| tint_1 … tint_4                         | grounds in hues that turn from the accent  | fg 7, muted and link 4.5  |
| chart_1 … chart_6                       | series of a chart, the accent's hue first  | 3 : 1 with bg and surface |

Where a theme's own pair falls short of such a figure, the derived colour ends at the ground itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

from .color import BLACK, WHITE, Color, contrast, from_oklch, nearest, to_oklch

READABLE: Final = 4.5
BOLD: Final = 7.0
VISIBLE: Final = 3.0
_GROUNDS: Final = ("color.bg", "color.surface", "color.sunken")
_TINT_TURNS: Final = (40, 130, 220, 310)
_CHART_TURNS: Final = (0, 155, 55, 255, 305, 105)
_STEPS: Final = 24

DERIVED: Final = (
    "accent_hover",
    "on_bad",
    "accent_soft",
    "ok_soft",
    "warn_soft",
    "bad_soft",
    "field",
    *(f"tint_{number}" for number in range(1, len(_TINT_TURNS) + 1)),
    *(f"chart_{number}" for number in range(1, len(_CHART_TURNS) + 1)),
)
"""Their names; in style sheets `--color-<name>` with hyphens."""


def derived_colors(colors: Mapping[str, Color], scheme: Literal["light", "dark"]) -> dict[str, Color]:
    """Every derived colour of one scheme by its name, from that scheme's token colours."""
    dark = scheme == "dark"
    found = {
        "accent_hover": _hover(colors["color.accent"], colors["color.on_accent"], dark=dark),
        "on_bad": readable_on(colors["color.bad"]),
        "field": _field(colors),
    }
    for name, word in (("accent", "link"), ("ok", "ok"), ("warn", "warn"), ("bad", "bad")):
        found[f"{name}_soft"] = _soft(colors, f"color.{word}", dark=dark)
    for number, turn in enumerate(_TINT_TURNS, 1):
        found[f"tint_{number}"] = _tint(colors, turn, dark=dark)
    for number, turn in enumerate(_CHART_TURNS, 1):
        found[f"chart_{number}"] = _chart(colors, turn, dark=dark)
    return found


def readable_on(ground: Color) -> Color:
    """Black or white, whichever reads better on a ground; the better of the two never falls below 4.5 : 1."""
    return max((WHITE, BLACK), key=lambda color: contrast(color, ground))


def _hover(accent: Color, on_accent: Color, *, dark: bool) -> Color:
    light, chroma, hue = to_oklch(accent)
    for move in (0.06, -0.06) if dark else (-0.06, 0.06):
        moved = from_oklch(min(max(light + move, 0.0), 1.0), chroma, hue)
        if contrast(moved, on_accent) >= READABLE:
            return moved
    return accent


def _field(colors: Mapping[str, Color]) -> Color:
    line = colors["color.line"]
    grounds = [colors[name] for name in _GROUNDS]
    found = nearest(line, to_oklch(line)[0], lambda color: all(contrast(color, one) >= VISIBLE for one in grounds))
    return found or colors["color.muted"]


def _soft(colors: Mapping[str, Color], name: str, *, dark: bool) -> Color:
    """The ground nearest to a breath of the colour in the surface on which the colour and muted text can be read."""
    word, ground = colors[name], colors["color.surface"]
    texts = ((word, READABLE), (colors["color.muted"], READABLE), (colors["color.fg"], BOLD))
    return _towards(mix(ground, word, 0.14 if dark else 0.09), ground, texts)


def _tint(colors: Mapping[str, Color], turn: int, *, dark: bool) -> Color:
    _, chroma, hue = to_oklch(colors["color.accent"])
    strength = min(chroma, 0.12)
    tinted = from_oklch(0.27 if dark else 0.92, strength * (0.42 if dark else 0.65), hue + math.radians(turn))
    texts = (
        (colors["color.fg"], BOLD),
        (colors["color.muted"], READABLE),
        (colors["color.link"], READABLE),
    )
    return _towards(tinted, colors["color.bg"], texts)


def _chart(colors: Mapping[str, Color], turn: int, *, dark: bool) -> Color:
    _, chroma, hue = to_oklch(colors["color.accent"])
    start = 0.76 if dark else 0.56
    # Every third series lies lower, so that neighbours differ for those who see no difference in hue.
    start += (0, -0.1, 0.06)[_CHART_TURNS.index(turn) % 3]
    color = from_oklch(start, max(chroma, 0.11), hue + math.radians(turn))
    grounds = (colors["color.bg"], colors["color.surface"])
    found = nearest(color, start, lambda one: all(contrast(one, ground) >= VISIBLE for ground in grounds))
    return found or colors["color.fg"]


def mix(one: Color, other: Color, share: float) -> Color:
    """`share` of the other colour in the one, channel by channel."""
    return Color(
        round(one.red + (other.red - one.red) * share),
        round(one.green + (other.green - one.green) * share),
        round(one.blue + (other.blue - one.blue) * share),
    )


def _towards(start: Color, end: Color, texts: tuple[tuple[Color, float], ...]) -> Color:
    """The first colour on the way from `start` to `end` that every text can be read on, `end` at the latest."""
    for step in range(_STEPS):
        color = mix(start, end, step / _STEPS)
        if all(contrast(text, color) >= least for text, least in texts):
            return color
    return end
