"""The browser's side of members: the cookies of the console, the session behind them, and who that is.

A console (`/console` on a reseller's hosts, the whole of the platform's own) knows members and no customers: on its
pages a customer's cookie is not even looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Request
from msgspec import Struct

from ..core.roles import NEEDS_TWO_FACTORS
from ..core.storefront import Storefront
from ..core.tenant import PLATFORM_SLUG
from ..core.times import SECOND_US
from ..flows.identity.visit import Visit, visit_of
from ..flows.members import sessions
from ..flows.patience import limited_wait
from ..flows.runtime import Runtime
from .cookies import Connection, LogInCookies, cookie_of, csrf_for, load_cookies
from .dispatch import CLIENT_KEY, RUNTIME_KEY, STOREFRONT_KEY
from .sessions import CSRF_KEY, FORM

_log = logging.getLogger(__name__)
CONSOLE: Final = "/console"
SESSION: Final = "console"
DEVICE: Final = "console-device"
PENDING: Final = "console-login"
_DESK_KEY: Final = "reseller_kit.desk"


class Member(Struct, frozen=True, kw_only=True):
    """Who is logged in to a console. `csrf`: what every form proves; `zone`: the tenant's time zone."""

    tenant_id: int
    id: int
    email: str
    name: str
    role: str
    csrf: bytes
    zone: ZoneInfo
    two_factor: bool
    session_id: str
    token: str

    def __repr__(self) -> str:
        return f"Member(id={self.id})"

    @property
    def actor(self) -> str:
        """As the audit log names whoever changes something."""
        return f"{'operator' if self.role == 'operator' else 'member'}:{self.email}"

    @property
    def needs_two_factor(self) -> bool:
        """Whether nothing opens before a second factor is set up."""
        return self.role in NEEDS_TWO_FACTORS and not self.two_factor


class Desk(Struct, frozen=True, kw_only=True):
    """One request's console: where its paths begin, and who is there. `unread`: the database did not say who."""

    base: str
    member: Member | None = None
    unread: bool = False


def is_console(path: str) -> bool:
    """Whether a path on a reseller's host is the console's."""
    return path == CONSOLE or path.startswith(f"{CONSOLE}/")


async def load(scope: dict[str, Any], base: str) -> None:
    """Read the member's session of a request before its handler runs; its paths begin with `base`."""
    load_cookies(scope)
    scope[_DESK_KEY] = Desk(base=base)
    try:
        member = await member_by_cookie(scope)
    except Exception:  # noqa: BLE001  # whatever it was, it is nobody's session; guards say that it is not known
        _log.exception("a member's session could not be read")
        scope[_DESK_KEY] = Desk(base=base, unread=True)
        return
    if member is not None:
        scope[CSRF_KEY] = member.csrf
        scope[_DESK_KEY] = Desk(base=base, member=member)


async def member_by_cookie(scope: dict[str, Any]) -> Member | None:
    """Whom the browser's cookie of the console names; the request's cookies have been read."""
    token = cookie_of(scope, SESSION)
    if token is None:
        return None
    runtime: Runtime = scope[RUNTIME_KEY]
    storefront: Storefront = scope[STOREFRONT_KEY]
    async with limited_wait():
        found = await sessions.current(runtime.identity, storefront.tenant_id, token)
    if found is None:
        return None
    return Member(
        tenant_id=storefront.tenant_id,
        id=found.id,
        email=found.email,
        name=found.name,
        role=found.role,
        csrf=csrf_for(runtime, f"{SESSION}\0{token}"),
        zone=ZoneInfo(storefront.timezone),
        two_factor=found.two_factor,
        session_id=found.session_id,
        token=token,
    )


def desk_of(request: Connection) -> Desk | None:
    """The console that a request came to; None on every other page."""
    found = request.scope.get(_DESK_KEY)
    return found if isinstance(found, Desk) else None


def present(request: Connection) -> Member | None:
    """Who is logged in to the console, or None."""
    desk = desk_of(request)
    return None if desk is None else desk.member


def member_of(request: Connection) -> Member:
    """Who is logged in, behind a guard of the console."""
    found = present(request)
    if found is None:
        raise AssertionError("this page has no guard")
    return found


def visit_of_member(request: Request[Any, Any, Any]) -> Visit:
    """The sender of a request, as flows take it: with the browser's tokens of the console."""
    scope: Mapping[str, Any] = request.scope
    return visit_of(
        scope[STOREFRONT_KEY],
        address=scope[CLIENT_KEY],
        agent=request.headers.get("user-agent", ""),
        device=cookie_of(scope, DEVICE),
        form=cookie_of(scope, FORM),
    )


def of_platform(scope: Mapping[str, Any]) -> bool:
    """Whether a request came to one of the operator's own hosts."""
    storefront: Storefront = scope[STOREFRONT_KEY]
    return storefront.slug == PLATFORM_SLUG


_COOKIES: Final = LogInCookies(
    session=SESSION, device=DEVICE, pending=PENDING, seconds=sessions.LONGEST_US // SECOND_US
)
enter = _COOKIES.enter
leave = _COOKIES.leave
wait_for_code = _COOKIES.wait_for_code
pending_of = _COOKIES.pending_of
session_token = _COOKIES.session_token
