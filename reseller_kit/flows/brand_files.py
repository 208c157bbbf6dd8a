"""A brand's pictures and what is drawn of them, from memory after the first time. Takes no upload."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from ..db import brand_images
from ..db.brand_images import Image
from ..db.engine import Database
from ..imaging import Card, Mark, draw_card, draw_icon
from ..theming import Drawing

_IMAGES: Final = 32
_DRAWN: Final = 64
T = TypeVar("T")


class BrandFiles:
    """What a process has read and drawn lately: at most 32 pictures of 512 KiB, and 64 drawings."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._images: _Latest[Image] = _Latest(_IMAGES)
        self._drawn: _Latest[bytes] = _Latest(_DRAWN)
        # One thread at a time: the fonts that are drawn with belong to one, and a burst must not take every core.
        self._lock = asyncio.Lock()

    async def image(self, tenant_id: int, sha256: str) -> Image | None:
        """The tenant's picture."""
        found = self._images.get((tenant_id, sha256))
        if found is None:
            async with self._db.read(tenant_id) as connection:
                found = await brand_images.find(connection, tenant_id, sha256)
            if found is not None:
                self._images.put((tenant_id, sha256), found)
        return found

    async def drawn(self, tenant_id: int, drawing: Drawing, font: bytes) -> bytes:
        """The PNG of a drawing; `font` is the file that it names."""
        key = (tenant_id, drawing.url)
        found = self._drawn.get(key)
        if found is not None:
            return found
        picture, logo = await self._body(tenant_id, drawing.picture), await self._body(tenant_id, drawing.logo)
        async with self._lock:
            found = self._drawn.get(key)
            if found is None:
                found = await asyncio.to_thread(_draw, drawing, font, picture, logo)
                self._drawn.put(key, found)
        return found

    async def _body(self, tenant_id: int, sha256: str) -> bytes | None:
        image = await self.image(tenant_id, sha256) if sha256 else None
        return None if image is None else image.body


def _draw(drawing: Drawing, font: bytes, picture: bytes | None, logo: bytes | None) -> bytes:
    mark = Mark(
        initial=drawing.initial,
        accent=drawing.accent,
        on_accent=drawing.on_accent,
        ground=drawing.ground,
        font=font,
        picture=picture,
    )
    if drawing.kind != "card":
        return draw_icon(mark, drawing.size, opaque=drawing.kind == "touch")
    return draw_card(
        Card(name=drawing.name, tagline=drawing.tagline, mark=mark, ink=drawing.ink, muted=drawing.muted, logo=logo)
    )


class _Latest(Generic[T]):
    """The things that were asked for last, up to a number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[tuple[int, str], T] = OrderedDict()

    def get(self, key: tuple[int, str]) -> T | None:
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key]

    def put(self, key: tuple[int, str], item: T) -> None:
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._most:
            self._items.popitem(last=False)
