"""Icons and cards are drawn for every brand, whatever its name is written in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from reseller_kit.imaging import Card, Mark, draw_card, draw_icon

FONT = (Path(__file__).parents[3] / "themes/base/static/fonts/inter.woff2").read_bytes()
MARK = Mark(initial="A", accent="#4338ca", on_accent="#ffffff", ground="#ffffff", font=FONT)


def png(color: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body)).convert("RGBA")


def test_an_icon_is_the_letter_on_the_accent() -> None:
    icon = opened(draw_icon(MARK, 48))
    assert icon.size == (48, 48)
    assert icon.getpixel((24, 3)) == (67, 56, 202, 255)
    assert icon.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert {color for _, color in icon.getcolors(9_999) or ()} >= {(255, 255, 255, 255)}
    assert opened(draw_icon(MARK, 180, opaque=True)).getpixel((0, 0)) == (67, 56, 202, 255)


def test_a_square_logo_becomes_the_icon_and_a_wide_one_does_not() -> None:
    square = Mark(
        initial="A",
        accent="#4338ca",
        on_accent="#ffffff",
        ground="#ffffff",
        font=FONT,
        picture=png("#aa0000", (90, 60)),
    )
    assert opened(draw_icon(square, 48)).getpixel((24, 24)) == (170, 0, 0, 255)
    wide = Mark(
        initial="A",
        accent="#4338ca",
        on_accent="#ffffff",
        ground="#ffffff",
        font=FONT,
        picture=png("#aa0000", (300, 60)),
    )
    assert opened(draw_icon(wide, 48)).getpixel((24, 3)) == (67, 56, 202, 255)


@pytest.mark.parametrize("name", ["Aurora", "<b>{{7*7}}</b>", "极光", "أورورا", "🚀", "x" * 200, "\u202eevil", "•"])
@pytest.mark.parametrize("logo", [None, png("#aa0000", (2, 900)), png("#aa0000", (900, 2))])
def test_a_card_is_drawn_for_any_name_and_logo(name: str, logo: bytes | None) -> None:
    card = Card(name=name, tagline=name, mark=MARK, ink="#000000", muted="#555555", logo=logo)
    assert opened(draw_card(card)).size == (1200, 630)
