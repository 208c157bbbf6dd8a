"""A member's browser that looks at the portal as a customer sees it: which pages show, and that nothing is sent.

The view's cookie counts beside the console's own cookie alone: it is over when the member logs out, may no longer edit
customers or was removed. The browser's own customer, if it has one, stays logged in and is not looked at meanwhile.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from ..core.errors import KitError
from ..core.roles import may
from ..core.times import SECOND_US
from ..flows import customer_view
from ..flows.customer_view import Onlooker, View
from ..flows.patience import limited_wait
from ..flows.runtime import Runtime
from ..theming.page import Viewing
from .cookies import Connection, cookie_of, masked, set_cookie
from .dispatch import RUNTIME_KEY
from .members import Member, member_by_cookie
from .notices import moment
from .sessions import Session, restriction_of, stand_in

_log = logging.getLogger(__name__)
COOKIE: Final = "view"
_KEY: Final = "reseller_kit.viewing"
_PORTAL: Final = "/account"


class ViewOnly(KitError):
    """Whoever looks at the portal as a customer changes nothing there, and sees no secret."""

    code = "view_only"
    status = 403


class _Viewed(Struct, frozen=True):
    """Who looks, and at whom."""

    member: Member
    view: View


async def load(scope: dict[str, Any]) -> None:
    """Read the view of a request before its handler runs: its portal pages are the customer's who is looked at."""
    token = cookie_of(scope, COOKIE)
    if token is None:
        return
    runtime: Runtime = scope[RUNTIME_KEY]
    try:
        member = await member_by_cookie(scope)
        if member is None or member.needs_two_factor or not may(member.role, "customers", edit=True):
            return
        async with limited_wait():
            view = await customer_view.current(runtime.identity, onlooker_of(member), token)
    except Exception:  # noqa: BLE001  # as in `sessions.load`: nobody's page shows while it is not known whose
        _log.exception("a member's view could not be read")
        stand_in(scope, None)
        return
    if view is not None:
        scope[_KEY] = _Viewed(member, view)
        if _is_portal(scope["path"]):
            stand_in(scope, _session(view))


async def look_only(connection: Connection, handler: BaseRouteHandler) -> None:
    """While a view lasts nothing is sent, and of the portal only pages show that say `viewable`; each is noted."""
    viewed = _viewed(connection)
    if viewed is None:
        return
    portal = _is_portal(connection.url.path)
    if connection.scope.get("method") != "GET" or (portal and not handler.opt.get("viewable")):
        raise ViewOnly("You are looking at this as a customer.", fix="End the view first.")
    if portal:
        runtime: Runtime = connection.scope[RUNTIME_KEY]  # type: ignore[literal-required]
        onlooker, customer = onlooker_of(viewed.member), viewed.view.customer
        await customer_view.note_page(runtime.identity, onlooker, customer.id, connection.url.path)


def onlooker_of(member: Member) -> Onlooker:
    """A member as the flows of a view take it."""
    return Onlooker(tenant_id=member.tenant_id, session_id=member.session_id, actor=member.actor)


def is_viewed(scope: Mapping[str, Any]) -> bool:
    """Whether a member's view goes on in the browser of this request."""
    return _KEY in scope


def banner_of(request: Connection) -> Viewing | None:
    """What a page of the portal, or a refusal, tells of the view that it is shown in; None where there is none."""
    viewed = _viewed(request)
    if viewed is None or (request.scope.get("method") == "GET" and not _is_portal(request.url.path)):
        return None
    customer, member = viewed.view.customer, viewed.member
    until = moment(viewed.view.until).astimezone(member.zone)
    return Viewing(email=customer.email, customer_id=customer.id, until=until, csrf=masked(member.csrf))


def no_file(request: Connection) -> None:
    """Whoever looks as a customer takes no file along. Raises ViewOnly."""
    if _viewed(request) is not None:
        raise ViewOnly("You are looking at this as a customer.", fix="End the view first.")


def keep(request: Connection, response: Response[Any], token: str) -> None:
    """The browser looks as a customer from this answer on."""
    set_cookie(request, response, COOKIE, token, customer_view.VALID_US // SECOND_US)


def drop(request: Connection, response: Response[Any]) -> None:
    """The browser is the member's own again."""
    set_cookie(request, response, COOKIE, "", 0)


def _viewed(request: Connection) -> _Viewed | None:
    found = request.scope.get(_KEY)
    return found if isinstance(found, _Viewed) else None


def _is_portal(path: str) -> bool:
    return path == _PORTAL or path.startswith(f"{_PORTAL}/")


def _session(view: View) -> Session:
    """What pages know of the customer. No form proves its `csrf`, which no other request has."""
    customer = view.customer
    return Session(
        tenant_id=customer.tenant_id,
        customer_id=customer.id,
        email=customer.email,
        name=customer.name,
        verified=customer.verified_at is not None,
        csrf=secrets.token_bytes(16),
        id="",
        status=customer.status,
        token="",
        locale=customer.locale,
        timezone=customer.timezone,
        delete_at=customer.delete_at,
        group_id=customer.group_id,
        restricted=restriction_of(customer),
    )
