"""The page `/account`: where a customer arrives after logging in."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ...theming.identity import AccountView
from ..guards import signed_in
from ..pages import Handler, Pages
from ..sessions import required_session


def overview_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The first page of the portal."""

    @get("/account", guards=[signed_in])
    async def overview(request: Handler) -> Response[Any]:
        session = required_session(request)
        return pages.answer(request, "account/overview.html", view=AccountView(email=session.email), noindex=True)

    return [overview]
