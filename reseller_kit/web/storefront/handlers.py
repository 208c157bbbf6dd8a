"""The storefront's public pages and robots.txt. Changes nothing."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ...theming import GUIDES
from ...theming.status import DayRow, StatusView
from ..notices import moment
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS, runtime_of

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

    @get("/status")
    async def status(request: Handler) -> Response[Any]:
        return pages.answer(request, "storefront/status.html", view=await _past(request))

    @get("/robots.txt")
    async def robots(request: Handler) -> Response[Any]:
        rule = "Allow: /" if storefront_of(request).open else "Disallow: /"
        return Response(f"User-agent: *\n{rule}\n", media_type="text/plain", headers=SECURITY_HEADERS)

    return [show, status, robots]


async def _past(request: Handler) -> StatusView:
    """How the models did in the last days."""
    found = await runtime_of(request).past_days.of(storefront_of(request).tenant_id)
    rows = {
        model: tuple(DayRow(moment(day.day_at).date(), day.calls, day.failures) for day in days)
        for model, days in found.items()
    }
    return StatusView(rows)
