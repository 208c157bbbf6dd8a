"""Our cookies, whoever they name: read once a request, set with the right attributes. Knows none of them.

Over https every cookie bears the `__Host-` prefix, so no sibling domain can plant one; over http, which only loopback
hosts are served over, it has its plain name.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response
from litestar.connection import ASGIConnection
from msgspec import Struct

from ..core.times import SECOND_US
from ..flows.identity.sessions import DEVICE_US, Opened
from ..flows.runtime import Runtime
from ..vault import token_digest
from .dispatch import SECURE_KEY

Connection = ASGIConnection[Any, Any, Any, Any]
_COOKIES_KEY: Final = "reseller_kit.cookies"
_MAX_COOKIES: Final = 16_384
_MAX_TOKEN: Final = 64
_PENDING_SECONDS: Final = 600
_GUARD_BYTES: Final = 16


def load_cookies(scope: dict[str, Any]) -> None:
    """Read the request's cookies; `cookie_of` finds them from here on."""
    found: dict[str, list[str]] = {}
    scope[_COOKIES_KEY] = found
    raw = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    if len(raw) > _MAX_COOKIES:
        return
    for pair in raw.decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, []).append(value)


def cookie_of(scope: Mapping[str, Any], name: str) -> str | None:
    """The value of one of our cookies; none for one that is doubled, which no browser of ours does."""
    values = scope.get(_COOKIES_KEY, {}).get(_full_name(name, secure=scope[SECURE_KEY]), ())
    return values[0] if len(values) == 1 and 0 < len(values[0]) <= _MAX_TOKEN and values[0].isascii() else None


def set_cookie(request: Connection, response: Response[Any], name: str, value: str, max_age: int) -> None:
    """Give the browser a cookie for so many seconds; 0 takes it away."""
    secure: bool = request.scope[SECURE_KEY]  # type: ignore[literal-required]
    response.set_cookie(
        key=_full_name(name, secure=secure),
        value=value,
        max_age=max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


class LogInCookies(Struct, frozen=True, kw_only=True):
    """Cookies of one kind of people: of a session, which lasts `seconds`, of a browser, and of a log-in half done."""

    session: str
    device: str
    pending: str
    seconds: int

    def enter(self, request: Connection, response: Response[Any], opened: Opened) -> None:
        """The browser is logged in from this answer on."""
        set_cookie(request, response, self.session, opened.token, self.seconds)
        set_cookie(request, response, self.device, opened.device, DEVICE_US // SECOND_US)
        if cookie_of(request.scope, self.pending) is not None:
            set_cookie(request, response, self.pending, "", 0)

    def leave(self, request: Connection, response: Response[Any]) -> None:
        """The browser is logged out from this answer on."""
        set_cookie(request, response, self.session, "", 0)

    def wait_for_code(self, request: Connection, response: Response[Any], pending: str) -> None:
        """The browser has passed the first of two steps."""
        set_cookie(request, response, self.pending, pending, _PENDING_SECONDS)

    def pending_of(self, request: Connection) -> str | None:
        """The log-in that waits for its second step in this browser."""
        return cookie_of(request.scope, self.pending)

    def session_token(self, request: Connection) -> str | None:
        """The browser's session cookie, whether it is worth anything or not."""
        return cookie_of(request.scope, self.session)


def csrf_for(runtime: Runtime, token: str) -> bytes:
    """What the forms of the browser that has this cookie prove; pages show it as `masked` does."""
    return token_digest(runtime.vault.pepper, "csrf", token)[:_GUARD_BYTES]


def masked(csrf: bytes) -> str:
    """A guard as one answer shows it: hidden behind a random mask, so that no two answers show the same (BREACH)."""
    mask = secrets.token_bytes(len(csrf))
    return (mask + _xor(mask, csrf)).hex()


def proves(text: str, csrf: bytes) -> bool:
    """Whether a form that carries this text was shown this guard, under whatever mask."""
    try:
        given = bytes.fromhex(text)
    except ValueError:
        return False
    mask, hidden = given[: len(csrf)], given[len(csrf) :]
    return bool(csrf) and len(hidden) == len(csrf) and hmac.compare_digest(_xor(mask, hidden), csrf)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _full_name(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
