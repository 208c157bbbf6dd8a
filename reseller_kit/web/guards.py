"""Who may see a page: guards for Litestar's handlers, and the answers of those that are refused."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from litestar.handlers import BaseRouteHandler

from ..core.errors import ServiceUnavailable
from ..core.storefront import Storefront
from .cookies import Connection
from .dispatch import STOREFRONT_KEY
from .members import desk_of
from .sessions import is_unread, session_of

LOG_IN: Final = "/login"
HOME: Final = "/account"
CHECK_MAIL: Final = "/verify"
SECURITY: Final = "/account/security"
_MAX_NEXT: Final = 500
_OF_EVERY_PAGE: Final = ("/theme/", "/preview/", "/robots.txt")


class SeeOther(Exception):  # an answer that a handler gives from further down, as HTTPException is
    """Go on at another page of this storefront."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Closed(Exception):  # see SeeOther
    """The storefront is not open."""


class Paused(Exception):  # see SeeOther
    """The customer is suspended: an honest page instead of the account."""


async def open_storefront(connection: Connection, _: BaseRouteHandler) -> None:
    """Nothing happens on a storefront that is not open; every page but its team's is the honest one."""
    storefront: Storefront = connection.scope[STOREFRONT_KEY]  # type: ignore[literal-required]
    prepares = storefront.status != "archived" and desk_of(connection) is not None
    if not storefront.open and not prepares and not connection.url.path.startswith(_OF_EVERY_PAGE):
        raise Closed


async def known(connection: Connection, _: BaseRouteHandler) -> None:
    """Only customers who are logged in, suspended ones too: for what they may read. Others log in first."""
    if is_unread(connection):
        raise ServiceUnavailable("The service is not available right now. Please try again in a moment.")
    session = session_of(connection)
    if session is None:
        raise SeeOther(f"{LOG_IN}?next={quote(here(connection), safe='/')}")


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """As `known`, and not suspended."""
    await known(connection, handler)
    session = session_of(connection)
    if session is not None and session.status == "suspended":
        raise Paused


async def verified(connection: Connection, handler: BaseRouteHandler) -> None:
    """As `signed_in`, and the address was confirmed; nothing new for an account that is being closed."""
    await signed_in(connection, handler)
    session = session_of(connection)
    if session is not None and not session.verified:
        raise SeeOther(CHECK_MAIL)
    if session is not None and session.status == "closing" and connection.scope.get("method") != "GET":
        raise SeeOther(SECURITY)


def see_other(location: str) -> Response[Any]:
    """A redirect that is a GET."""
    safe = quote(location, safe="/:?#[]@!$&'()*+,;=%~")
    return Response(b"", status_code=303, headers={"location": safe, "cache-control": "no-store"})


def redirect(_: Request[Any, Any, Any], error: SeeOther) -> Response[Any]:
    """The answer to SeeOther."""
    return see_other(error.location)


def safe_next(target: str | None) -> str:
    """Where to go after a log-in: a path of this storefront, whatever was asked for."""
    if not target or len(target) > _MAX_NEXT or not target.isascii() or not target.isprintable():
        return HOME
    if not target.startswith("/") or target.startswith("//") or "\\" in target or " " in target:
        return HOME
    try:
        parts = urlsplit(target)
    except ValueError:
        return HOME
    outside = parts.scheme or parts.netloc or parts.path.startswith(("/login", "/logout", "/signup", "/v1"))
    return HOME if outside else target


def here(connection: Connection) -> str:
    """The page that was asked for; what was sent to it is not repeated."""
    if connection.scope.get("method") != "GET":
        return connection.url.path
    return connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")
