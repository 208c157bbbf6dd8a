"""What is drawn for a brand: its icons and the card of its links, each under a URL that names what goes into it.

Draws nothing: `flows.brand_files` does, when one is asked for.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from reseller_kit.core.theme import Color, Font

from .brand import Brand
from .library import Theme, content_hash

_FONT: Final = "fonts/inter.woff2"
"""Where the brand's own is the reader's."""
_VERSION: Final = 1
"""Raised when the same brand is drawn differently, so that its URLs change."""
_ICONS: Final = (("icon", 48), ("touch", 180), ("app", 192), ("app", 512))
CARD_SIZE: Final = (1200, 630)


class Drawing(Struct, frozen=True, kw_only=True):
    """One picture to draw as PNG. Colours are `#rrggbb`; `picture` and `logo` are ids of the brand's own pictures.

    `kind`: icon (a browser's tab), touch (a home screen), app (of the web manifest), card (of links elsewhere).
    """

    url: str = ""
    kind: Literal["icon", "touch", "app", "card"]
    size: int
    name: str
    tagline: str
    initial: str
    accent: str
    on_accent: str
    ground: str
    ink: str
    muted: str
    font: str
    picture: str = ""
    logo: str = ""


def drawings(theme: Theme, brand: Brand, colors: dict[str, Color], display: Font) -> tuple[Drawing, ...]:
    """Icons from small to large, then the card; `colors` are those of the light scheme."""
    common = Drawing(
        kind="icon",
        size=0,
        name="",
        tagline="",
        initial=brand.initial,
        accent=colors["color.accent"].css,
        on_accent=colors["color.on_accent"].css,
        ground=colors["color.bg"].css,
        ink=colors["color.fg"].css,
        muted=colors["color.muted"].css,
        font=display.file if display.file in theme.assets else _FONT,
        picture=brand.images.get("favicon") or brand.images.get("logo_light") or brand.images.get("logo_dark") or "",
    )
    icons = [msgspec.structs.replace(common, kind=kind, size=size) for kind, size in _ICONS]
    logo = brand.images.get("logo_light") or brand.images.get("logo_dark") or ""
    card = msgspec.structs.replace(common, kind="card", size=0, name=brand.name, tagline=brand.tagline, logo=logo)
    return tuple(_named(one) for one in (*icons, card))


def _named(drawing: Drawing) -> Drawing:
    parts = msgspec.json.encode((_VERSION, drawing))
    return msgspec.structs.replace(drawing, url=f"/theme/{content_hash(parts)}.png")
