"""Where a page's script asks for challenges of passkeys and brings their answers. Forms as everywhere; JSON back."""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity import passkeys
from ...flows.identity.passkeys import Party
from ..dispatch import HOST_KEY, SECURE_KEY
from ..forms import read_form
from ..guards import safe_next
from ..pages import Handler, Pages, storefront_of
from ..sessions import enter, pending_of, session_token, visit_of_request
from .showing import identity_of

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def login_passkey_handlers(_: Pages) -> list[HTTPRouteHandler]:
    """Logging in by a passkey."""

    @post("/login/passkey/options")
    async def options(request: Handler) -> Response[Any]:
        form = await read_form(request)
        pending = pending_of(request) if form.ticked("second") else None
        try:
            body = await passkeys.begin_login(
                identity_of(request), visit_of_request(request), party_of(request), pending
            )
        except RateLimited as error:
            return problem(error.status, "form.too_many")
        return Response(body.encode(), media_type="application/json", status_code=200, headers=_HEADERS)

    @post("/login/passkey")
    async def finish(request: Handler) -> Response[Any]:
        form = await read_form(request)
        try:
            opened = await passkeys.log_in(
                identity_of(request),
                visit_of_request(request),
                party_of(request),
                form.raw("credential"),
                pending=pending_of(request) if form.ticked("second") else None,
                old_session=session_token(request),
            )
        except InvalidForm as error:
            return problem(error.status, next(iter(error.problems.values()))[0])
        answer = document({"location": safe_next(form.raw("next"))})
        enter(request, answer, opened)
        return answer

    return [options, finish]


def party_of(request: Handler) -> Party:
    """The storefront as the browser sees it; the host was checked against those that it has."""
    scheme = "https" if request.scope[SECURE_KEY] else "http"  # type: ignore[literal-required]
    host: str = request.scope[HOST_KEY]  # type: ignore[literal-required]
    return Party(name=storefront_of(request).name, host=host, origin=f"{scheme}://{request.headers['host'].lower()}")


def passkeys_work(request: Handler) -> bool:
    """Whether browsers let this host have passkeys: a name, not an address."""
    try:
        ipaddress.ip_address(request.scope[HOST_KEY])  # type: ignore[literal-required]
    except ValueError:
        return True
    return False


def document(content: dict[str, str], status: int = 200) -> Response[Any]:
    """An answer for the page's script."""
    return Response(msgspec.json.encode(content), media_type="application/json", status_code=status, headers=_HEADERS)


def problem(status: int, key: str) -> Response[Any]:
    """A failure, by the key of a text that the page has ready."""
    return document({"problem": key}, status)
