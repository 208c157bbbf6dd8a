"""The page `/account/security`."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from ..pages import Pages


def security_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Nothing yet."""
    del pages
    return []
