"""Passkeys on pages of customers and of consoles alike: who the browser talks to, and what its script is told."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable
from typing import Any, Final

import msgspec
from litestar import Response

from ..core.errors import InvalidForm, RateLimited
from ..flows.identity.ceremony import Party
from .dispatch import HOST_KEY, SECURE_KEY
from .forms import Form
from .pages import Handler, storefront_of
from .pages.answer import SECURITY_HEADERS

_HEADERS: Final = {**SECURITY_HEADERS, "cache-control": "no-store"}
_MAX_NAME: Final = 60


def party_of(request: Handler, browser: str | None, name: str = "") -> Party:
    """The host as the browser sees it, which was checked against those that there are; `name`: the storefront's.

    `browser`: the token that a challenge is tied to.
    """
    scheme = "https" if request.scope[SECURE_KEY] else "http"  # type: ignore[literal-required]
    host: str = request.scope[HOST_KEY]  # type: ignore[literal-required]
    return Party(
        name=name or storefront_of(request).name,
        host=host,
        origin=f"{scheme}://{request.headers['host'].lower()}",
        browser=browser or "",
    )


def passkeys_work(request: Handler) -> bool:
    """Whether browsers let this host have passkeys: a name, not an address."""
    try:
        ipaddress.ip_address(request.scope[HOST_KEY])  # type: ignore[literal-required]
    except ValueError:
        return True
    return False


def name_of(form: Form, browser: str) -> str:
    """What a new passkey is called: what was typed, else the browser it was made in. Raises InvalidForm."""
    return form.line("name", _MAX_NAME, needed=False) or browser or "Passkey"


async def options(asked: Awaitable[str]) -> Response[Any]:
    """What the page's script hands to the browser, or why there is nothing."""
    try:
        body = (await asked).encode()
        status = 200
    except RateLimited as error:
        body, status = _problem("form.too_many"), error.status
    except InvalidForm as error:
        body, status = _problem(next(iter(error.problems.values()))[0]), error.status
    return Response(body, media_type="application/json", status_code=status, headers=_HEADERS)


def _problem(key: str) -> bytes:
    return msgspec.json.encode({"problem": key})
