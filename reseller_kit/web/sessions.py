"""The browser's side of identity: its cookies, the session behind them, and the token that guards forms.

A page asks `session_of`; the session was read before its handler ran.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

from ..core.abuse import is_restricted
from ..core.storefront import Storefront
from ..core.times import SECOND_US
from ..db.customers import Customer
from ..db.engine import now_us
from ..db.sessions import LiveSession
from ..flows.identity import sessions
from ..flows.identity.sessions import LONGEST_US
from ..flows.identity.signup import LINK_VALID_US
from ..flows.identity.visit import Visit, new_token, visit_of
from ..flows.patience import limited_wait
from ..flows.runtime import Runtime
from .cookies import Connection, LogInCookies, cookie_of, csrf_for, load_cookies, masked, set_cookie
from .dispatch import CLIENT_KEY, RUNTIME_KEY, STOREFRONT_KEY

_log = logging.getLogger(__name__)
_SESSION_KEY: Final = "reseller_kit.session"
_NEW_FORM_KEY: Final = "reseller_kit.new_form"
CSRF_KEY: Final = "reseller_kit.csrf"
"""What forms prove where somebody is logged in who is no customer."""
_SHOWN_KEY: Final = "reseller_kit.csrf_shown"
SESSION: Final = "session"
DEVICE: Final = "device"
FORM: Final = "form"
PENDING: Final = "login"


class Session(Struct, frozen=True, kw_only=True):
    """Who is logged in, on this storefront. `csrf`: what every form of the session proves by its field of that name.

    `status`: active | suspended | closing; the last one until `delete_at` (µs). `token` is the cookie's value.
    `restricted`: why its calls are refused, None while they are not.
    """

    tenant_id: int
    customer_id: str
    email: str
    name: str
    verified: bool
    csrf: bytes
    id: str
    status: str
    token: str
    locale: str | None = None
    timezone: str | None = None
    delete_at: int | None = None
    group_id: str | None = None
    restricted: str | None = None

    def __repr__(self) -> str:
        return f"Session(id={self.id!r})"


class _Unread(Struct, frozen=True):
    """The database did not say whose session it is."""


async def load(scope: dict[str, Any]) -> None:
    """Read the session of a request before its handler runs; pages without one go on where the database does not."""
    load_cookies(scope)
    scope[_SESSION_KEY] = None
    token = cookie_of(scope, SESSION)
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
            csrf=csrf_for(runtime, token),
            id=found.id,
            status=found.status,
            token=token,
            locale=found.locale,
            timezone=found.timezone,
            delete_at=found.delete_at,
            group_id=found.group_id,
            restricted=restriction_of(found),
        )


def restriction_of(customer: LiveSession | Customer) -> str | None:
    """Why a customer's calls are refused now; None for one whose are not."""
    held = is_restricted(customer.restricted_at, customer.restricted_until, now_us())
    return customer.restrict_reason or "" if held else None


def stand_in(scope: dict[str, Any], session: Session | None) -> None:
    """Show this request's pages as those of another session than the browser's own; None: it is not known whose."""
    scope[_SESSION_KEY] = _Unread() if session is None else session


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
        device=cookie_of(scope, DEVICE),
        form=cookie_of(scope, FORM),
    )


def open_form(request: Request[Any, Any, Any]) -> None:
    """Let the page that is answered hold a form for somebody who is not logged in: its guard needs a cookie."""
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]
    if not known_forms(scope) and cookie_of(scope, FORM) is None:
        scope[_NEW_FORM_KEY] = new_token()


def known_forms(scope: Mapping[str, Any]) -> bool:
    """Whether forms of this request's pages are guarded by a session."""
    return isinstance(scope.get(_SESSION_KEY), Session) or CSRF_KEY in scope


def csrf_of(request: Connection) -> bytes:
    """What a form of this request's browser proves by its `csrf`; empty where it was shown none."""
    own = request.scope.get(CSRF_KEY)
    if isinstance(own, bytes):
        return own
    session = session_of(request)
    if session is not None:
        return session.csrf
    token = request.scope.get(_NEW_FORM_KEY) or cookie_of(request.scope, FORM)
    runtime: Runtime = request.scope[RUNTIME_KEY]  # type: ignore[literal-required]
    return b"" if token is None else csrf_for(runtime, f"{FORM}\0{token}")


def csrf_shown(request: Connection) -> str:
    """What every form of this answer carries as `csrf`; empty where it has none to carry."""
    scope: dict[str, Any] = request.scope  # type: ignore[assignment]
    if _SHOWN_KEY not in scope:
        scope[_SHOWN_KEY] = masked(csrf_of(request))
    shown: str = scope[_SHOWN_KEY]
    return shown


def keep_form_cookie(request: Connection, response: Response[Any]) -> None:
    """Give the browser the cookie that `open_form` made, if it did."""
    token = request.scope.get(_NEW_FORM_KEY)
    if isinstance(token, str):
        set_cookie(request, response, FORM, token, LINK_VALID_US // SECOND_US)


_COOKIES: Final = LogInCookies(session=SESSION, device=DEVICE, pending=PENDING, seconds=LONGEST_US // SECOND_US)
enter = _COOKIES.enter
leave = _COOKIES.leave
wait_for_code = _COOKIES.wait_for_code
pending_of = _COOKIES.pending_of
session_token = _COOKIES.session_token
