"""What pages load: a theme's own files, those made of a brand, and its pictures. Each address holds for ever."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...theming import asset
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import file_answer
from ..pages.files import brand_image, made_file
from ..pages.views import brand_of


def asset_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Everything below `/theme/`."""

    @get("/theme/static/{path:path}")
    async def static(request: Handler, path: FromPath[str]) -> Response[Any]:
        found = asset(pages.library, storefront_of(request).theme, path.lstrip("/"))
        if found is None:
            raise NotFoundException
        return file_answer(found)

    @get("/theme/images/{sha256:str}")
    async def image(request: Handler, sha256: FromPath[str]) -> Response[Any]:
        return file_answer(await brand_image(request, sha256))

    @get("/theme/{name:str}")
    async def generated(request: Handler, name: FromPath[str]) -> Response[Any]:
        storefront = storefront_of(request)
        return file_answer(await made_file(pages, request, storefront.theme, brand_of(storefront), name))

    return [static, image, generated]
