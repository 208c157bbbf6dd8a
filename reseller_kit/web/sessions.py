"""The browser's side of identity: its cookies, the session behind them, and the token that guards forms.

Over https every cookie bears the `__Host-` prefix, so no sibling domain can plant one; over http, which only loopback
hosts are served over, it has its plain name. A page asks `session_of`; the session was read before its handler ran.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response
from litestar.connection import ASGIConnection
from msgspec import Struct

from ..core.storefront import Storefront
from ..core.times import SECOND_US
from ..flows.identity import sessions
from ..flows.identity.sessions import DEVICE_US, LONGEST_US, Opened
from ..flows.identity.signup import LINK_VALID_US
from ..flows.identity.visit import Visit, new_token, visit_of
from ..flows.patience import limited_wait
from ..flows.runtime import Runtime
from ..vault import token_digest
from .dispatch import CLIENT_KEY, RUNTIME_KEY, SECURE_KEY, STOREFRONT_KEY

_log = logging.getLogger(__name__)
_SESSION_KEY: Final = "reseller_kit.session"
_COOKIES_KEY: Final = "reseller_kit.cookies"
_NEW_FORM_KEY: Final = "reseller_kit.new_form"
SESSION: Final = "session"
DEVICE: Final = "device"
FORM: Final = "form"
PENDING: Final = "login"
_MAX_COOKIES: Final = 16_384
_MAX_TOKEN: Final = 64
_PENDING_SECONDS: Final = 600

Connection = ASGIConnection[Any, Any, Any, Any]


class Session(Struct, frozen=True, kw_only=True):
    """Who is logged in, on this storefront. `csrf`: what every form of the session carries in its field of that name.

    `status`: active | suspended | closing; the last one until `delete_at` (µs). `token` is the cookie's value.
    """

    tenant_id: int
    customer_id: str
    email: str
    name: str
    verified: bool
    csrf: str
    id: str
    status: str
    token: str
    locale: str | None = None
    timezone: str | None = None
    delete_at: int | None = None
    group_id: str | None = None

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"


class _Unread(Struct, frozen=True):
    """The database did not say whose session it is."""


async def load(scope: dict[str, Any]) -> None:
    """Read the session of a request before its handler runs; pages without one go on where the database does not."""
    scope[_COOKIES_KEY] = _cookies(scope)
    scope[_SESSION_KEY] = None
    token = _cookie(scope, SESSION)
    if token is None:
        return
    runtime: Runtime = scope[RUNTIME_KEY]
    storefront: Storefront = scope[STOREFRONT_KEY]
    try:
        async with limited_wait():
            found = await sessions.current(runtime.identity, storefront.tenant_id, token)
    except Exception:  # noqa: BLE001  # whatever it was, it is nobody's session; guards say that it is not known
        _log.exception("a session could not be read")
        scope[_SESSION_KEY] = _Unread()
        return
    if found is not None:
        scope[_SESSION_KEY] = Session(
            tenant_id=storefront.tenant_id,
            customer_id=found.customer_id,
            email=found.email,
            name=found.name,
            verified=found.verified_at is not None,
            csrf=_csrf(runtime, token),
            id=found.id,
            status=found.status,
            token=token,
            locale=found.locale,
            timezone=found.timezone,
            delete_at=found.delete_at,
            group_id=found.group_id,
        )


def session_of(request: Connection) -> Session | None:
    """Who is logged in, or None."""
    found = request.scope.get(_SESSION_KEY)
    return found if isinstance(found, Session) else None


def is_unread(request: Connection) -> bool:
    """Whether there is a session cookie that the database did not answer for."""
    return isinstance(request.scope.get(_SESSION_KEY), _Unread)


def required_session(request: Connection) -> Session:
    """Who is logged in, behind the guard `signed_in`."""
    found = session_of(request)
    if found is None:
        raise AssertionError("this page has no guard")
    return found


def visit_of_request(request: Request[Any, Any, Any]) -> Visit:
    """The sender of a request, as flows take it."""
    scope: Mapping[str, Any] = request.scope
    return visit_of(
        scope[STOREFRONT_KEY],
        address=scope[CLIENT_KEY],
        agent=request.headers.get("user-agent", ""),
        device=_cookie(scope, DEVICE),
        form=_cookie(scope, FORM),
    )


def open_form(request: Request[Any, Any, Any]) -> None:
    """Let the page that is answered hold a form for somebody who is not logged in: its guard needs a cookie."""
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]
    if session_of(request) is None and _cookie(scope, FORM) is None:
        scope[_NEW_FORM_KEY] = new_token()


def csrf_of(request: Connection) -> str:
    """What a form of this request's browser carries as `csrf`; empty where it was shown none."""
    session = session_of(request)
    if session is not None:
        return session.csrf
    token = request.scope.get(_NEW_FORM_KEY) or _cookie(request.scope, FORM)
    runtime: Runtime = request.scope[RUNTIME_KEY]  # type: ignore[literal-required]
    return "" if token is None else _csrf(runtime, f"{FORM}\0{token}")


def keep_form_cookie(request: Connection, response: Response[Any]) -> None:
    """Give the browser the cookie that `open_form` made, if it did."""
    token = request.scope.get(_NEW_FORM_KEY)
    if isinstance(token, str):
        _set(request, response, FORM, token, LINK_VALID_US // SECOND_US)


def enter(request: Connection, response: Response[Any], opened: Opened) -> None:
    """The browser is logged in from this answer on."""
    _set(request, response, SESSION, opened.token, LONGEST_US // SECOND_US)
    _set(request, response, DEVICE, opened.device, DEVICE_US // SECOND_US)
    if _cookie(request.scope, PENDING) is not None:
        _set(request, response, PENDING, "", 0)


def leave(request: Connection, response: Response[Any]) -> None:
    """The browser is logged out from this answer on."""
    _set(request, response, SESSION, "", 0)


def wait_for_code(request: Connection, response: Response[Any], pending: str) -> None:
    """The browser has passed the first of two steps."""
    _set(request, response, PENDING, pending, _PENDING_SECONDS)


def pending_of(request: Connection) -> str | None:
    """The log-in that waits for its second step in this browser."""
    return _cookie(request.scope, PENDING)


def session_token(request: Connection) -> str | None:
    """The browser's session cookie, whether it is worth anything or not."""
    return _cookie(request.scope, SESSION)


def _csrf(runtime: Runtime, token: str) -> str:
    return token_digest(runtime.vault.pepper, "csrf", token).hex()


def _set(request: Connection, response: Response[Any], name: str, value: str, max_age: int) -> None:
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


def _full_name(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name


def _cookie(scope: Mapping[str, Any], name: str) -> str | None:
    """The value of one of our cookies; none for one that is doubled, which no browser of ours does."""
    values = scope.get(_COOKIES_KEY, {}).get(_full_name(name, secure=scope[SECURE_KEY]), ())
    return values[0] if len(values) == 1 and 0 < len(values[0]) <= _MAX_TOKEN and values[0].isascii() else None


def _cookies(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    raw = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    if len(raw) > _MAX_COOKIES:
        return found
    for pair in raw.decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, []).append(value)
    return found
