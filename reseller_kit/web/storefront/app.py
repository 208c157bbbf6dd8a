"""The Litestar application of the pages: one handler a page, one place where errors become pages of the brand."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final

from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath

from ...core.ids import new_id
from ...core.storefront import Storefront
from ...flows.runtime import Runtime
from ...theming import GUIDES, Asset, ErrorInfo, Library, asset, icon, render, stylesheet
from ..dispatch import REQUEST_ID_KEY, RUNTIME_KEY, STOREFRONT_KEY, PageApp
from ..responses import Message, Receive, Send
from . import views

_log = logging.getLogger(__name__)
_PAGES: Final = {
    "/": "storefront/home.html",
    "/pricing": "storefront/pricing.html",
    "/models": "storefront/models.html",
    "/docs": "storefront/docs.html",
    "/docs/quickstart": "storefront/docs/quickstart.html",
    **GUIDES,
    "/faq": "storefront/faq.html",
    "/legal/terms": "storefront/legal/terms.html",
    "/legal/privacy": "storefront/legal/privacy.html",
    "/legal/refunds": "storefront/legal/refunds.html",
    "/status": "storefront/status.html",
}
ERROR_TEMPLATE: Final = "storefront/error.html"
_KINDS: Final[dict[int, Any]] = {403: "forbidden", 404: "not_found", 405: "method"}
_CSP: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


Handler = Request[Any, Any, Any]


def build_pages(library: Library, port: int) -> PageApp:
    """The pages of all storefronts; `port` is where the server listens, for the URLs of loopback hosts."""
    pages = _Pages(library, port)

    @get(list(_PAGES))
    async def show(request: Handler) -> Response[Any]:
        return pages.show(request)

    @get("/theme/static/{path:path}")
    async def static(request: Handler, path: FromPath[str]) -> Response[Any]:
        return pages.static(request, path)

    @get("/theme/{name:str}")
    async def generated(request: Handler, name: FromPath[str]) -> Response[Any]:
        return pages.generated(request, name)

    @get("/robots.txt")
    async def robots(request: Handler) -> Response[Any]:
        return pages.robots(request)

    app = Litestar(
        route_handlers=[show, static, generated, robots],
        exception_handlers={HTTPException: pages.http_error, Exception: pages.fault},
        openapi_config=None,
        logging_config=None,
    )
    return _finish(app)


class _Pages:
    """Renders with one library of themes."""

    def __init__(self, library: Library, port: int) -> None:
        self._library = library
        self._port = port

    def show(self, request: Handler) -> Response[Any]:
        """A page of the storefront, or the honest page of one that is not open."""
        error = views.paused(_storefront(request))
        if error is not None:
            return self._page(request, ERROR_TEMPLATE, error)
        return self._page(request, _PAGES[request.url.path.rstrip("/") or "/"])

    def static(self, request: Handler, path: str) -> Response[Any]:
        """A theme's static file by its hashed name."""
        found = asset(self._library, _storefront(request).theme, path.lstrip("/"))
        if found is None:
            raise NotFoundException
        return _file(found)

    def generated(self, request: Handler, name: str) -> Response[Any]:
        """The style sheet and favicon of the brand, by their hashes."""
        storefront = _storefront(request)
        brand = views.brand_of(storefront)
        sheet = stylesheet(self._library, storefront.theme, brand)
        if f"/theme/{name}" == sheet.url:
            return _file(Asset(sheet.url, "text/css; charset=utf-8", sheet.css))
        favicon = icon(self._library, storefront.theme, brand)
        if f"/theme/{name}" == favicon.url:
            return _file(favicon)
        raise NotFoundException

    def robots(self, request: Handler) -> Response[Any]:
        """What crawlers may read: everything of an open storefront."""
        rule = "Allow: /" if _storefront(request).open else "Disallow: /"
        return Response(f"User-agent: *\n{rule}\n", media_type="text/plain", headers=_SECURITY)

    def http_error(self, request: Handler, error: HTTPException) -> Response[Any]:
        """A client's error as a page of the brand. Every page is read-only."""
        paused = views.paused(_storefront(request))
        kind = _KINDS.get(error.status_code, "invalid" if error.status_code < 500 else "fault")
        info = paused or ErrorInfo(status=error.status_code, kind=kind)
        return self._page(request, ERROR_TEMPLATE, info, allow="GET, HEAD" if error.status_code == 405 else None)

    def fault(self, request: Handler, error: Exception) -> Response[Any]:
        """A fault of ours as a page of the brand, with an id that the log has too."""
        request_id: str = request.scope[REQUEST_ID_KEY]  # type: ignore[literal-required]
        _log.error("%s: a page failed", request_id, exc_info=error)
        return self._page(request, ERROR_TEMPLATE, ErrorInfo(status=500, kind="fault", request_id=request_id))

    def _page(
        self, request: Handler, template: str, error: ErrorInfo | None = None, allow: str | None = None
    ) -> Response[Any]:
        storefront = _storefront(request)
        nonce = secrets.token_urlsafe(16)
        runtime: Runtime = request.scope[RUNTIME_KEY]  # type: ignore[literal-required]
        page = views.page_of(runtime, storefront, request.url.path, nonce, self._port, error)
        html = render(self._library, storefront.theme, template, page)
        headers = {**_SECURITY, "content-security-policy": _CSP.format(nonce=nonce), "cache-control": "no-store"}
        if allow:
            headers["allow"] = allow
        if error is not None and error.status == 503:
            headers["retry-after"] = "600"
        return Response(html, media_type="text/html", status_code=error.status if error else 200, headers=headers)


def _storefront(request: Handler) -> Storefront:
    found: Storefront = request.scope[STOREFRONT_KEY]  # type: ignore[literal-required]
    return found


def _file(found: Asset) -> Response[Any]:
    headers = {"cache-control": _FOR_EVER, "x-content-type-options": "nosniff"}
    return Response(found.body, media_type=found.content_type, headers=headers)


def _finish(app: Litestar) -> PageApp:
    """Give every answer a request id, and answer HEAD as GET without its body."""

    async def answer(scope: Any, receive: Receive, send: Send) -> None:
        head = scope["method"] == "HEAD"
        request_id = scope[REQUEST_ID_KEY] = new_id("req")

        async def send_finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        await app({**scope, "method": "GET"} if head else scope, receive, send_finished)  # type: ignore[arg-type]

    return answer
