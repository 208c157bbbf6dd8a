"""The Litestar application of all pages: one handler a page, one place where errors become pages of the brand."""

from __future__ import annotations

from typing import Any, Final

from litestar import Litestar
from litestar.exceptions import HTTPException

from ..core.errors import KitError
from ..core.ids import new_id
from ..theming import Library
from . import notices, sessions
from .account import account_handlers
from .dispatch import REQUEST_ID_KEY, PageApp
from .guards import Closed, Paused, SeeOther, open_storefront, redirect
from .pages import Pages
from .responses import Message, Receive, Send
from .storefront import contact_handlers, legal_handlers, model_handlers, storefront_handlers

_ASSETS: Final = "/theme/"
"""What is the same for everybody."""


def build_pages(library: Library, port: int) -> PageApp:
    """The pages of all storefronts; `port` is where the server listens, for the URLs of loopback hosts."""
    pages = Pages(library, port)
    app = Litestar(
        route_handlers=[
            *storefront_handlers(pages),
            *model_handlers(pages),
            *contact_handlers(pages),
            *legal_handlers(pages),
            *account_handlers(pages),
        ],
        guards=[open_storefront],
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


def _finish(app: Litestar) -> PageApp:
    """Give every answer a request id, and answer HEAD as GET without its body."""

    async def answer(scope: Any, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(_ASSETS):
            await sessions.load(scope)
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

        await app({**scope, "method": "GET"} if head else scope, receive, send_finished)  # type: ignore[arg-type]

    return answer
