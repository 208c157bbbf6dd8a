"""Who may see a page of the console: guards for Litestar's handlers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler

from ...core.errors import KitError, ServiceUnavailable
from ...core.roles import Right, may
from ..cookies import Connection
from ..guards import SeeOther, here
from ..members import desk_of, of_platform, present

Guard = Callable[[Connection, BaseRouteHandler], Coroutine[Any, Any, None]]


class NotYours(KitError):
    """The member's role does not include this."""

    code = "not_permitted"
    status = 403


async def logged_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Only members who are logged in; a second factor may still have to be set up. Others log in first."""
    desk = desk_of(connection)
    if desk is None:
        raise AssertionError("this is no page of a console")
    if desk.unread:
        raise ServiceUnavailable("The service is not available right now. Please try again in a moment.")
    if desk.member is None:
        raise SeeOther(f"{desk.base}/login?next={quote(here(connection), safe='/')}")


async def entered(connection: Connection, handler: BaseRouteHandler) -> None:
    """As `logged_in`, and whoever needs a second factor has one."""
    await logged_in(connection, handler)
    desk = desk_of(connection)
    if desk is not None and desk.member is not None and desk.member.needs_two_factor:
        raise SeeOther(f"{desk.base}/profile/two-factor")


def member_may(right: Right, *, edit: bool = False) -> Guard:
    """As `entered`, and the member's role includes the right: to see it or, with `edit`, to change it."""

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        await entered(connection, handler)
        member = present(connection)
        if member is None or not may(member.role, right, edit):
            raise NotYours("Your role does not include this.", fix="Ask an owner of the team.")

    guard.right = right  # type: ignore[attr-defined]  # for the walk over all routes
    guard.edit = edit  # type: ignore[attr-defined]
    return guard


async def operator_alone(connection: Connection, handler: BaseRouteHandler) -> None:
    """As `operator`; for everybody else there is nothing here, not even a log-in: programs ask for it."""
    if present(connection) is None:
        raise NotFoundException
    await operator(connection, handler)


async def operator(connection: Connection, handler: BaseRouteHandler) -> None:
    """As `entered`, on the platform's own hosts and by the operator's people alone."""
    await entered(connection, handler)
    member = present(connection)
    if member is None or member.role != "operator" or not of_platform(connection.scope):
        raise NotYours("This is the operator's.", fix="Log in as an operator.")
