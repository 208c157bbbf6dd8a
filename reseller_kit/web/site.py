"""The Litestar application of all pages: one handler a page, one place where errors become pages of the brand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from litestar import Litestar
from litestar.exceptions import HTTPException

from ..core.errors import KitError
from ..core.ids import new_id
from ..theming import Library
from . import members, notices, sessions, viewing
from .access import NO_ROUTE, NOTE_KEY
from .account import account_handlers
from .compression import OWN_WORDS, has_own_words, packing, takes_gzip
from .console import console_handlers
from .dispatch import PageApp
from .guards import Closed, Paused, SeeOther, open_storefront, redirect
from .pages import Pages
from .platform import platform_handlers
from .responses import REQUEST_ID_KEY, Message, Receive, Send
from .storefront import (
    asset_handlers,
    contact_handlers,
    legal_handlers,
    model_handlers,
    preview_handlers,
    storefront_handlers,
)

_ASSETS: Final = "/theme/"
"""What is the same for everybody."""
_PORTAL: Final = re.compile("/account(?!/support)(/|$)")
"""Pages with a customer's own data alone; those of support have words of others."""


def build_pages(library: Library, port: int) -> PageApp:
    """The pages of all storefronts; `port` is where the server listens, for the URLs of loopback hosts."""
    pages = Pages(library, port)
    app = Litestar(
        route_handlers=[
            *storefront_handlers(pages),
            *asset_handlers(pages),
            *model_handlers(pages),
            *contact_handlers(pages),
            *legal_handlers(pages),
            *preview_handlers(pages),
            *account_handlers(pages),
            *console_handlers(pages),
        ],
        guards=[open_storefront, viewing.look_only],
        exception_handlers={
            HTTPException: pages.http_error,
            KitError: pages.kit_error,
            SeeOther: redirect,
            Paused: pages.paused,
            Closed: pages.closed,
            Exception: pages.fault,
        },
        openapi_config=None,
        logging_config=None,
    )
    return _finish(app)


def build_platform(library: Library, port: int) -> PageApp:
    """The operator's own pages, in the plain theme, for the platform's hosts."""
    pages = Pages(library, port)
    app = Litestar(
        route_handlers=platform_handlers(pages),
        exception_handlers={
            HTTPException: pages.http_error,
            KitError: pages.kit_error,
            SeeOther: redirect,
            Exception: pages.fault,
        },
        openapi_config=None,
        logging_config=None,
    )
    return _finish(app)


def _finish(app: Litestar) -> PageApp:
    """Give every answer a request id, pack what may be packed, and answer HEAD as GET without its body."""

    async def answer(scope: Any, receive: Receive, send: Send) -> None:
        # The one character that no database keeps is read as another control character, as in forms.
        scope["path"] = scope["path"].replace("\0", "\1")
        scope["query_string"] = scope["query_string"].replace(b"%00", b"%01")
        if members.of_platform(scope):
            await members.load(scope, "")
        elif members.is_console(scope["path"]):
            await members.load(scope, members.CONSOLE)
        elif not scope["path"].startswith(_ASSETS):
            await sessions.load(scope)
            await viewing.load(scope)
            await notices.load(scope)
        head = scope["method"] == "HEAD"
        request_id = scope[REQUEST_ID_KEY] = new_id("req")

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0] != b"x-request-id"]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        known = sessions.known_forms(scope)
        routed = {**scope, "method": "GET"} if head else scope
        if routed["method"] == "GET" and not scope["query_string"]:
            routed[OWN_WORDS] = True

        def allowed(status: int) -> bool:
            return not known or (_of_one_customer(routed) and has_own_words(routed, status))

        try:
            packed = packing(send_finished, wanted=takes_gzip(scope["headers"]), allowed=allowed)
            await app(routed, receive, packed)  # type: ignore[arg-type]
        finally:
            scope[NOTE_KEY].route = routed.get("path_template") or NO_ROUTE

    return answer


def _of_one_customer(scope: Mapping[str, Any]) -> bool:
    """Whether a page has the words of one customer alone, beside those of its address; see `compression`."""
    return _PORTAL.match(scope["path"]) is not None and not viewing.is_viewed(scope)
