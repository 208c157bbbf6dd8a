"""Colours as numbers: parsing, WCAG contrast and moves in lightness. Keeps no text that it was given.

Formulas: relative luminance and contrast ratio from WCAG 2.2; OKLCH from Björn Ottosson, "A perceptual color space
for image processing" (2020), the space of CSS Color 4.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

import msgspec

from reseller_kit.core.errors import InvalidRequest

_HEX: Final = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)
_RGB: Final = re.compile(r"rgb\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*\)", re.ASCII | re.IGNORECASE)
_HSL: Final = re.compile(r"hsl\(\s*(\d{1,3})(?:deg)?[\s,]+(\d{1,3})%[\s,]+(\d{1,3})%\s*\)", re.ASCII | re.IGNORECASE)
_STEPS: Final = 100


class Color(msgspec.Struct, frozen=True):
    """An opaque sRGB colour, 0 to 255 a channel."""

    red: int
    green: int
    blue: int

    @property
    def css(self) -> str:
        """The only text form there is: `#rrggbb`, made from the numbers."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


WHITE: Final = Color(255, 255, 255)
BLACK: Final = Color(0, 0, 0)


def parse_color(text: object) -> Color:
    """`#rgb`, `#rrggbb`, `rgb(r g b)` or `hsl(h s% l%)` to a colour. Raises InvalidRequest for anything else."""
    if isinstance(text, str):
        if _HEX.fullmatch(text):
            digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
            return Color(int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16))
        if match := _RGB.fullmatch(text):
            channels = tuple(int(channel) for channel in match.groups())
            if max(channels) <= 255:
                return Color(*channels)
        if (match := _HSL.fullmatch(text)) and int(match[1]) <= 360 and int(match[2]) <= 100 and int(match[3]) <= 100:
            return _from_hsl(int(match[1]), int(match[2]), int(match[3]))
    raise InvalidRequest(
        f"{text!r} is not a colour.", fix='Write it as "#4338ca", "rgb(67 56 202)" or "hsl(245 58% 51%)".'
    )


def luminance(color: Color) -> float:
    """Relative luminance, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(channel) for channel in (color.red, color.green, color.blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio, 1 to 21, the same whichever colour is in front."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def lightness(color: Color) -> float:
    """OKLCH lightness, 0 to 1."""
    return to_oklch(color)[0]


def nearest(color: Color, start: float, passes: Callable[[Color], bool]) -> Color | None:
    """The colour of the same hue whose lightness is nearest to `start` and that `passes`, in steps of a hundredth.

    At the same distance the lighter one wins. None when no lightness of this hue passes.
    """
    _, chroma, hue = to_oklch(color)
    for step in range(_STEPS + 1):
        for direction in (1, -1):
            value = start + direction * step / _STEPS
            if not 0 <= value <= 1:
                continue
            candidate = from_oklch(value, chroma, hue)
            if passes(candidate):
                return candidate
    return None


def _linear(channel: int) -> float:
    value = channel / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _from_hsl(hue: int, saturation: int, light: int) -> Color:
    spread = saturation / 100 * min(light / 100, 1 - light / 100)

    def channel(offset: int) -> int:
        position = (offset + hue / 30) % 12
        return round(255 * (light / 100 - spread * max(-1.0, min(position - 3, 9 - position, 1.0))))

    return Color(channel(0), channel(8), channel(4))


def to_oklch(color: Color) -> tuple[float, float, float]:
    """Lightness (0 to 1), chroma and hue (radians)."""
    red, green, blue = (_linear(channel) for channel in (color.red, color.green, color.blue))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    light = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    green_red = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    blue_yellow = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return min(max(light, 0.0), 1.0), math.hypot(green_red, blue_yellow), math.atan2(blue_yellow, green_red)


def from_oklch(light: float, chroma: float, hue: float) -> Color:
    """The nearest colour within sRGB: chroma is lowered until it fits, lightness and hue stay."""
    for step in range(_STEPS, -1, -1):
        channels = _linear_rgb(light, chroma * step / _STEPS, hue)
        if all(-0.0005 <= channel <= 1.0005 for channel in channels):
            return Color(*(round(255 * _gamma(min(max(channel, 0.0), 1.0))) for channel in channels))
    return WHITE if light > 0.5 else BLACK


def _linear_rgb(light: float, chroma: float, hue: float) -> tuple[float, float, float]:
    green_red, blue_yellow = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (light + 0.3963377774 * green_red + 0.2158037573 * blue_yellow) ** 3
    medium = (light - 0.1055613458 * green_red - 0.0638541728 * blue_yellow) ** 3
    short = (light - 0.0894841775 * green_red - 1.2914855480 * blue_yellow) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
