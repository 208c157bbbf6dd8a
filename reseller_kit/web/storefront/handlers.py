"""The storefront's public pages, its assets and robots.txt. Changes nothing."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...theming import GUIDES, Asset, asset, icon, stylesheet, web_manifest
from ...theming.status import DayRow, StatusView
from ..notices import moment
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS, file_answer, runtime_of
from ..pages.views import brand_of

_PAGES: Final = {
    "/": "storefront/home.html",
    "/docs": "storefront/docs.html",
    "/docs/quickstart": "storefront/docs/quickstart.html",
    **GUIDES,
    "/faq": "storefront/faq.html",
}


def storefront_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of what anybody may read."""

    @get(list(_PAGES))
    async def show(request: Handler) -> Response[Any]:
        return pages.answer(request, _PAGES[request.url.path.rstrip("/") or "/"])

    @get("/theme/static/{path:path}")
    async def static(request: Handler, path: FromPath[str]) -> Response[Any]:
        found = asset(pages.library, storefront_of(request).theme, path.lstrip("/"))
        if found is None:
            raise NotFoundException
        return file_answer(found)

    @get("/theme/{name:str}")
    async def generated(request: Handler, name: FromPath[str]) -> Response[Any]:
        return _generated(pages, request, name)

    @get("/status")
    async def status(request: Handler) -> Response[Any]:
        return pages.answer(request, "storefront/status.html", view=await _past(request))

    @get("/robots.txt")
    async def robots(request: Handler) -> Response[Any]:
        rule = "Allow: /" if storefront_of(request).open else "Disallow: /"
        return Response(f"User-agent: *\n{rule}\n", media_type="text/plain", headers=SECURITY_HEADERS)

    return [show, status, static, generated, robots]


async def _past(request: Handler) -> StatusView:
    """How the models did in the last days."""
    found = await runtime_of(request).past_days.of(storefront_of(request).tenant_id)
    rows = {
        model: tuple(DayRow(moment(day.day_at).date(), day.calls, day.failures) for day in days)
        for model, days in found.items()
    }
    return StatusView(rows)


def _generated(pages: Pages, request: Handler, name: str) -> Response[Any]:
    """The style sheet, favicon and web manifest of the brand, by their hashes."""
    storefront = storefront_of(request)
    brand = brand_of(storefront)
    sheet = stylesheet(pages.library, storefront.theme, brand)
    if f"/theme/{name}" == sheet.url:
        return file_answer(Asset(sheet.url, "text/css; charset=utf-8", sheet.css))
    for found in (icon(pages.library, storefront.theme, brand), web_manifest(pages.library, storefront.theme, brand)):
        if f"/theme/{name}" == found.url:
            return file_answer(found)
    raise NotFoundException
