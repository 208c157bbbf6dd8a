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
from ...flows.runtime import Runtime
from ...theming import Asset, ErrorInfo, Library, render
from ...theming.legal import terms_version
from ..dispatch import REQUEST_ID_KEY, RUNTIME_KEY, STOREFRONT_KEY
from ..notices import rows_of
from ..sessions import csrf_of, session_of
from . import views
from .language import PARAMETER, choose

_log = logging.getLogger(__name__)
ERROR_TEMPLATE: Final = "storefront/error.html"
_KINDS: Final[dict[int, Any]] = {403: "forbidden", 404: "not_found", 405: "method", 429: "limited"}
_KIT_KINDS: Final[dict[str, Any]] = {"form_refused": "stale_form", "account_suspended": "account_suspended"}
_CSP: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
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
    ) -> Response[Any]:
        """The page of a template. `view`: what this page alone shows, a Struct that its template knows as `page.view`.

        `noindex`: for pages that no search engine has to know.

        A storefront that is not open answers with its honest page instead.
        """
        storefront = storefront_of(request)
        error = views.paused(storefront) or error
        nonce = secrets.token_urlsafe(16)
        lang = language_of(request)
        asked = views.Asked(
            path=request.url.path,
            nonce=nonce,
            lang=lang,
            session=session_of(request),
            csrf=csrf_of(request),
            announcements=rows_of(request),
        )
        page = views.page_of(runtime_of(request), storefront, asked, self.port, error=error, view=view, noindex=noindex)
        html = render(self.library, storefront.theme, ERROR_TEMPLATE if error else template, page)
        all_headers = {
            **SECURITY_HEADERS,
            "content-security-policy": _CSP.format(nonce=nonce),
            "cache-control": "no-store",
            **(headers or {}),
        }
        if error is not None and error.status == 503:
            all_headers["retry-after"] = "600"
        code = error.status if error else status
        answer = Response(html, media_type="text/html", status_code=code, headers=all_headers)
        if request.query_params.get(PARAMETER) == lang:
            answer.set_cookie(
                PARAMETER,
                lang,
                max_age=_LANGUAGE_SECONDS,
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
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
            csrf=csrf_of(request),
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
        allow = {"allow": (error.headers or {}).get("Allow", "GET, HEAD")} if error.status_code == 405 else None
        return self.answer(request, ERROR_TEMPLATE, error=ErrorInfo(status=error.status_code, kind=kind), headers=allow)

    def fault(self, request: Handler, error: Exception) -> Response[Any]:
        """A fault of ours as a page of the brand, with an id that the log has too."""
        request_id: str = request.scope[REQUEST_ID_KEY]  # type: ignore[literal-required]
        _log.error("%s: a page failed", request_id, exc_info=error)
        return self.answer(request, ERROR_TEMPLATE, error=ErrorInfo(status=500, kind="fault", request_id=request_id))


def language_of(request: Handler) -> str:
    """The language to answer in: chosen here, in the account or on a page before, else what the browser asks for."""
    session = session_of(request)
    own = None if session is None else session.locale
    chosen = (request.query_params.get(PARAMETER), own, request.cookies.get(PARAMETER))
    offered = views.brand_of(storefront_of(request)).languages
    return choose(offered, *chosen, accept=request.headers.get("accept-language", ""))


def storefront_of(request: Handler) -> Storefront:
    """The storefront whose host was asked."""
    found: Storefront = request.scope[STOREFRONT_KEY]  # type: ignore[literal-required]
    return found


def runtime_of(request: Handler) -> Runtime:
    """The serving process."""
    found: Runtime = request.scope[RUNTIME_KEY]  # type: ignore[literal-required]
    return found


def file_answer(found: Asset) -> Response[Any]:
    """An asset, which its URL names for ever."""
    headers = {"cache-control": _FOR_EVER, "x-content-type-options": "nosniff"}
    return Response(found.body, media_type=found.content_type, headers=headers)
