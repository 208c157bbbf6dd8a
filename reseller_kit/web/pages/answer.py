"""Answers with pages of a brand: rendering, headers and the pages of errors. Knows no single page."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException

from ...core.errors import KitError, RateLimited, ServiceUnavailable
from ...core.storefront import Storefront
from ...core.urls import public_url
from ...flows.runtime import Runtime
from ...theming import Asset, ErrorInfo, Library, render
from ...theming.legal import terms_version
from ..dispatch import RUNTIME_KEY, SECURE_KEY, STOREFRONT_KEY
from ..members import desk_of
from ..notices import rows_of
from ..responses import REQUEST_ID_KEY
from ..sessions import csrf_shown, session_of
from ..viewing import banner_of
from . import views
from .language import PARAMETER, choose, cookie_name

_log = logging.getLogger(__name__)
ERROR_TEMPLATE: Final = "storefront/error.html"
DESK_ERROR_TEMPLATE: Final = "console/error.html"
_PRIVATE: Final = {"referrer-policy": "same-origin", "x-robots-tag": "noindex"}
"""Of the console's pages: their addresses are nobody else's business."""
_KINDS: Final[dict[int, Any]] = {403: "forbidden", 404: "not_found", 405: "method", 429: "limited"}
_KIT_KINDS: Final[dict[str, Any]] = {
    "form_refused": "stale_form",
    "account_suspended": "account_suspended",
    "not_permitted": "not_permitted",
    "view_only": "view_only",
}
_CSP: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_NO_SOURCES: Final[Mapping[str, str]] = {}
_LANGUAGE_SECONDS: Final = 365 * 86_400
_FOR_EVER: Final = "public, max-age=31536000, immutable"
SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer that is no asset."""

Handler = Request[Any, Any, Any]


class Pages:
    """Renders with one library of themes; `port` is where the server listens, for the URLs of loopback hosts."""

    def __init__(self, library: Library, port: int) -> None:
        self.library = library
        self.port = port

    def answer(
        self,
        request: Handler,
        template: str,
        *,
        view: Any = None,
        status: int = 200,
        error: ErrorInfo | None = None,
        headers: Mapping[str, str] | None = None,
        noindex: bool = False,
        sources: Mapping[str, str] = _NO_SOURCES,
    ) -> Response[Any]:
        """The page of a template. `view`: what this page alone shows, a Struct that its template knows as `page.view`.

        `sources`: what this page's policy allows beyond every page's, by directive.

        `noindex`: for pages that no search engine has to know.

        A storefront that is not open answers with its honest page instead.
        """
        storefront, desk = storefront_of(request), desk_of(request)
        if desk is None or storefront.status == "archived":
            error = views.paused(storefront) or error
        nonce = secrets.token_urlsafe(16)
        lang = language_of(request)
        asked = views.Asked(
            path=request.url.path,
            nonce=nonce,
            lang=lang,
            session=session_of(request),
            csrf=csrf_shown(request),
            announcements=rows_of(request),
            desk=desk,
            viewing=banner_of(request),
            query=request.url.query,
        )
        noindex = noindex or desk is not None
        page = views.page_of(runtime_of(request), storefront, asked, self.port, error=error, view=view, noindex=noindex)
        if error is not None:
            template = ERROR_TEMPLATE if desk is None or storefront.status == "archived" else DESK_ERROR_TEMPLATE
        html = render(self.library, storefront.theme, template, page)
        all_headers = {
            **SECURITY_HEADERS,
            "content-security-policy": _policy(nonce, sources),
            "cache-control": "no-store",
            **({} if desk is None else _PRIVATE),
            **(headers or {}),
        }
        if error is not None and error.status == 503:
            all_headers["retry-after"] = "600"
        code = error.status if error else status
        answer = Response(html, media_type="text/html", status_code=code, headers=all_headers)
        if request.query_params.get(PARAMETER) == lang:
            secure: bool = request.scope[SECURE_KEY]  # type: ignore[literal-required]
            answer.set_cookie(
                cookie_name(secure=secure),
                lang,
                max_age=_LANGUAGE_SECONDS,
                httponly=True,
                samesite="lax",
                secure=secure,
            )
        return answer

    def fragment(self, request: Handler, template: str, view: Any) -> str:
        """A piece of a page, for a script to put into one that was answered before."""
        storefront = storefront_of(request)
        asked = views.Asked(
            path=request.url.path,
            nonce="",
            lang=language_of(request),
            session=session_of(request),
            csrf=csrf_shown(request),
        )
        page = views.page_of(runtime_of(request), storefront, asked, self.port, view=view, noindex=True)
        return render(self.library, storefront.theme, template, page)

    def terms_version(self, request: Handler) -> str:
        """The version of the terms that the storefront shows now."""
        storefront = storefront_of(request)
        return terms_version(self.library, storefront.theme, views.brand_of(storefront), "en")

    def kit_error(self, request: Handler, error: KitError) -> Response[Any]:
        """An error that we raised on purpose as a page of the brand; a fault of ours keeps its id."""
        if error.status >= 500 and not isinstance(error, ServiceUnavailable):
            return self.fault(request, error)
        kind = _KIT_KINDS.get(error.code) or _KINDS.get(error.status, "invalid" if error.status < 500 else "fault")
        headers = {"retry-after": str(error.retry_after_seconds)} if isinstance(error, RateLimited) else None
        return self.answer(request, ERROR_TEMPLATE, error=ErrorInfo(status=error.status, kind=kind), headers=headers)

    def paused(self, request: Handler, _: Exception) -> Response[Any]:
        """The honest page of a customer who is suspended."""
        return self.answer(request, ERROR_TEMPLATE, error=ErrorInfo(status=403, kind="account_suspended"))

    def closed(self, request: Handler, _: Exception) -> Response[Any]:
        """The honest page of a storefront that is not open."""
        return self.answer(request, ERROR_TEMPLATE)

    def http_error(self, request: Handler, error: HTTPException) -> Response[Any]:
        """A client's error as a page of the brand."""
        kind = _KINDS.get(error.status_code, "invalid" if error.status_code < 500 else "fault")
        headers = {"allow": _allowed(error)} if error.status_code == 405 else None
        shown = ErrorInfo(status=error.status_code, kind=kind)
        return self.answer(request, ERROR_TEMPLATE, error=shown, headers=headers)

    def fault(self, request: Handler, error: Exception) -> Response[Any]:
        """A fault of ours as a page of the brand, with an id that the log has too."""
        request_id: str = request.scope[REQUEST_ID_KEY]  # type: ignore[typeddict-item]
        _log.error("%s: a page failed", request_id, exc_info=error)
        return self.answer(request, ERROR_TEMPLATE, error=ErrorInfo(status=500, kind="fault", request_id=request_id))


def _allowed(error: HTTPException) -> str:
    """Methods that the path takes, in alphabetical order: what the router says, and HEAD wherever there is GET."""
    methods = set((error.headers or {}).get("allow", "GET").split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _policy(nonce: str, sources: Mapping[str, str]) -> str:
    """The content security policy of a page, with what it alone may load."""
    directives = dict(one.strip().split(" ", 1) for one in _CSP.format(nonce=nonce).split(";"))
    for name, allowed in sources.items():
        directives[name] = f"{directives.get(name, '')} {allowed}".strip()
    return "; ".join(f"{name} {allowed}" for name, allowed in directives.items())


def language_of(request: Handler) -> str:
    """The language to answer in: chosen here, on a page before or in the account, else what the browser asks for."""
    if desk_of(request) is not None:
        return "en"
    session = session_of(request)
    own = None if session is None else session.locale
    secure: bool = request.scope[SECURE_KEY]  # type: ignore[literal-required]
    chosen = (request.query_params.get(PARAMETER), request.cookies.get(cookie_name(secure=secure)), own)
    offered = views.brand_of(storefront_of(request)).languages
    return choose(offered, *chosen, accept=request.headers.get("accept-language", ""))


def storefront_of(request: Handler) -> Storefront:
    """The storefront whose host was asked, as the customer who is logged in meets it: at the prices of its group."""
    found: Storefront = request.scope[STOREFRONT_KEY]  # type: ignore[literal-required]
    session = session_of(request)
    return found if session is None else found.as_met_by(session.group_id)


def runtime_of(request: Handler) -> Runtime:
    """The serving process."""
    found: Runtime = request.scope[RUNTIME_KEY]  # type: ignore[literal-required]
    return found


def origin_of(request: Handler, port: int) -> str:
    """The storefront's own origin, from its configured host; `port`: where the server listens."""
    return public_url(storefront_of(request).primary_host, runtime_of(request).snapshot.public_url, port)


def file_answer(found: Asset) -> Response[Any]:
    """An asset, which its URL names for ever."""
    headers = {"cache-control": _FOR_EVER, "x-content-type-options": "nosniff"}
    return Response(found.body, media_type=found.content_type, headers=headers)
