"""The files of a brand's look: style sheet, icons, web manifest, drawings and uploaded pictures. Answers nothing."""

from __future__ import annotations

from litestar.exceptions import NotFoundException

from ...theming import Asset, Brand, Drawing, Library, drawing, icon, stylesheet, theme_file, web_manifest
from .answer import Handler, Pages, runtime_of, storefront_of


async def made_file(pages: Pages, request: Handler, theme: str, brand: Brand, name: str) -> Asset:
    """The file `/theme/<name>` of a brand in a theme. Raises NotFoundException for any other name."""
    library, url = pages.library, f"/theme/{name}"
    sheet = stylesheet(library, theme, brand)
    if url == sheet.url:
        return Asset(sheet.url, "text/css; charset=utf-8", sheet.css)
    for found in (icon(library, theme, brand), web_manifest(library, theme, brand)):
        if url == found.url:
            return found
    drawn = drawing(library, theme, brand, url)
    if drawn is None:
        raise NotFoundException
    return Asset(url, "image/png", await _drawn(library, request, theme, drawn))


async def _drawn(library: Library, request: Handler, theme: str, drawn: Drawing) -> bytes:
    tenant_id = storefront_of(request).tenant_id
    return await runtime_of(request).brand_files.drawn(tenant_id, drawn, theme_file(library, theme, drawn.font))


async def brand_image(request: Handler, sha256: str) -> Asset:
    """An uploaded picture of the storefront that was asked. Raises NotFoundException for any other."""
    found = await runtime_of(request).brand_files.image(storefront_of(request).tenant_id, sha256)
    if found is None:
        raise NotFoundException
    return Asset(request.url.path, found.content_type, found.body)
