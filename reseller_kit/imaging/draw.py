"""Draws a brand's icon and the card that links to it show elsewhere, from its colours, words and logo. Reads no file.

A word that the font has no letters for is left out; a brand whose name it can't write shows its logo or mark alone.
"""

from __future__ import annotations

import functools
import io
from typing import Final

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont
Axis = ImageFont.Axis
_CARD: Final = (1200, 630)
_MARGIN: Final = 96
_OVERSAMPLE: Final = 4
_ROUND: Final = 14 / 64
_MAX_WIDE: Final = 2.0
_UNKNOWN: Final = "\U0010fffe"
_MAX_LINES: Final = 3


class Mark(Struct, frozen=True, kw_only=True):
    """What an icon is made of: a picture, or a letter on the accent colour. Colours are `#rrggbb`."""

    initial: str
    accent: str
    on_accent: str
    ground: str
    font: bytes
    picture: bytes | None = None


class Card(Struct, frozen=True, kw_only=True):
    """What a card is made of."""

    name: str
    tagline: str
    mark: Mark
    ink: str
    muted: str
    logo: bytes | None = None


def draw_icon(mark: Mark, size: int, *, opaque: bool = False) -> bytes:
    """A square PNG; `opaque`: without clear corners, as home screens want it."""
    icon = _icon(mark, size, opaque=opaque)
    return _png(icon)


def draw_card(card: Card) -> bytes:
    """A PNG of 1200 × 630: logo or mark above name and tagline, on the brand's ground with its accent below."""
    image = Image.new("RGB", _CARD, card.mark.ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, _CARD[1] - 18, _CARD[0], _CARD[1]), fill=card.mark.accent)
    top = _MARGIN
    head = _logo(card.logo) if card.logo else _icon(card.mark, 120, opaque=False)
    image.paste(head, (_MARGIN, top), head)
    top += head.height + 64
    width = _CARD[0] - 2 * _MARGIN
    for text, size, color, bold in ((card.name, 84, card.ink, True), (card.tagline, 40, card.muted, False)):
        font = _font(card.mark.font, size, bold=bold)
        if not text or not _writable(font, text):
            continue
        for line in _lines(font, text, width):
            draw.text((_MARGIN, top), line, font=font, fill=color)
            top += int(size * 1.25)
        top += 12
    return _png(image)


def _icon(mark: Mark, size: int, *, opaque: bool) -> Image.Image:
    picture = _loaded(mark.picture) if mark.picture else None
    if picture is not None and max(picture.size) / min(picture.size) <= _MAX_WIDE:
        return _framed(picture, size, mark.ground if opaque else None)
    full = size * _OVERSAMPLE
    icon = Image.new("RGBA", (full, full), mark.accent if opaque else (0, 0, 0, 0))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((0, 0, full - 1, full - 1), radius=0 if opaque else int(full * _ROUND), fill=mark.accent)
    font = _font(mark.font, int(full * 0.6), bold=True)
    if _writable(font, mark.initial):
        draw.text((full / 2, full / 2), mark.initial, font=font, fill=mark.on_accent, anchor="mm")
    else:
        draw.ellipse((full * 0.35, full * 0.35, full * 0.65, full * 0.65), fill=mark.on_accent)
    return icon.resize((size, size), Image.Resampling.LANCZOS)


def _framed(picture: Image.Image, size: int, ground: str | None) -> Image.Image:
    """The whole picture in a square; on a ground it keeps some room around it."""
    inner = size if ground is None else int(size * 0.84)
    scale = inner / max(picture.size)
    fitted = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )
    square = Image.new("RGBA", (size, size), ground or (0, 0, 0, 0))
    square.paste(fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2), fitted)
    return square


def _logo(body: bytes) -> Image.Image:
    logo = _loaded(body)
    scale = min(600 / logo.width, 140 / logo.height)
    size = (max(1, round(logo.width * scale)), max(1, round(logo.height * scale)))
    return logo.resize(size, Image.Resampling.LANCZOS)


def _loaded(body: bytes) -> Image.Image:
    """One of our own pictures, which were checked when they were uploaded."""
    with Image.open(io.BytesIO(body), formats=("PNG", "JPEG", "WEBP")) as opened:
        return opened.convert("RGBA")


@functools.lru_cache(maxsize=64)
def _font(body: bytes, size: int, *, bold: bool) -> Font:
    """The font of a file in a weight, where it has several; Pillow's own where there is no file."""
    font = ImageFont.truetype(io.BytesIO(body), size) if body else ImageFont.load_default(size)
    if not isinstance(font, Font):
        raise TypeError("Pillow was built without FreeType.")
    try:
        axes = font.get_variation_axes()
    except OSError:  # a font of one weight
        return font
    font.set_variation_by_axes([_position(axis, 700 if bold else 400) for axis in axes])
    return font


def _position(axis: Axis, weight: int) -> float:
    if axis["name"] not in {b"Weight", "Weight"}:
        return axis["default"] or 0
    return min(max(weight, axis["minimum"] or 0), axis["maximum"] or weight)


def _writable(font: Font, text: str) -> bool:
    """Whether the font has a shape of its own for each letter."""
    missing = bytes(font.getmask(_UNKNOWN))
    return bool(text) and all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in set(text))


def _lines(font: Font, text: str, width: int) -> list[str]:
    """The text on at most three lines; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    shown = [_cut(font, one, width) for one in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        shown[-1] = _cut(font, f"{shown[-1]}…", width)
    return shown


def _cut(font: Font, line: str, width: int) -> str:
    while len(line) > 1 and font.getlength(line) > width:
        line = line.rstrip("…")[:-1].rstrip() + "…"
    return line


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
