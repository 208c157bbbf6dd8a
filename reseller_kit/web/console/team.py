"""The page `/console/team`: who runs the storefront, with which role, and who is invited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, NotFound
from ...core.roles import ROLES, may, may_make
from ...core.times import SECOND_US
from ...db.members import MemberRow
from ...flows.identity.visit import MAX_EMAIL, MAX_NAME
from ...flows.members import team
from ...theming.console import MemberLine, TeamView
from ...theming.forms import FormView
from ..account.showing import identity_of
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from .guards import Guard, member_may

_DONE: Final = frozenset({"invited", "resent", "role", "removed"})
Action = Callable[[Handler, MemberRow, Form], Awaitable[str]]


def team_handlers(
    pages: Pages, path: str = "/console/team", look_guard: Guard | None = None, edit_guard: Guard | None = None
) -> list[HTTPRouteHandler]:
    """The team's page: a reseller's, or at another path and behind other guards the operator's."""

    @get(path, guards=[look_guard or member_may("team")])
    async def look(request: Handler) -> Response[Any]:
        done = request.query_params.get("done", "")
        return await _show(pages, request, done=done if done in _DONE else "")

    @post(path, guards=[edit_guard or member_may("team", edit=True)])
    async def act(request: Handler) -> Response[Any]:
        form = await read_form(request)
        name = form.raw("action")
        action = _ACTIONS.get(name)
        if action is None:
            return see_other(path)
        try:
            done = await action(request, await _acting(request), form)
        except InvalidForm as error:
            return await _show(pages, request, action=name, form=form.view(error), status=error.status)
        return see_other(f"{path}?done={done}")

    return [look, act]


async def _show(
    pages: Pages, request: Handler, *, done: str = "", action: str = "", form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member = member_of(request)
    rows = await team.of_tenant(identity_of(request), member.tenant_id)
    view = TeamView(
        members=tuple(_line(row, member) for row in rows),
        roles=tuple(role for role in ROLES if may_make(member.role, role)),
        may_edit=member.role == "operator" or may(member.role, "team", edit=True),
        form=form or FormView(),
        action=action,
        done=done,
    )
    return pages.answer(request, "console/team.html", view=view, status=status)


def _line(row: MemberRow, viewer: Member) -> MemberLine:
    seen = row.seen_at if row.status == "active" else None
    return MemberLine(
        number=row.id,
        email=row.email,
        name=row.name,
        role=row.role,
        status=row.status,
        two_factor=row.two_factor,
        seen=None if seen is None else dt.datetime.fromtimestamp(seen // SECOND_US, viewer.zone),
        invited=None
        if row.invited_at is None
        else dt.datetime.fromtimestamp(row.invited_at // SECOND_US, viewer.zone).date(),
        you=row.id == viewer.id,
        may_change=may_make(viewer.role, row.role),
    )


async def _acting(request: Handler) -> MemberRow:
    member = member_of(request)
    return await team.require(identity_of(request), member.tenant_id, member.email)


async def _invite(request: Handler, by: MemberRow, form: Form) -> str:
    await team.invite_by(
        identity_of(request),
        by.tenant_id,
        by,
        email=form.line("email", MAX_EMAIL),
        role=form.raw("role")[:40],
        name=form.line("name", MAX_NAME, needed=False),
    )
    return "invited"


async def _change(request: Handler, by: MemberRow, form: Form) -> str:
    await team.change_role(identity_of(request), by.tenant_id, by, _whom(form), form.raw("role")[:40])
    return "role"


async def _resend(request: Handler, by: MemberRow, form: Form) -> str:
    await team.resend_by(identity_of(request), by.tenant_id, by, _whom(form))
    return "resent"


async def _remove(request: Handler, by: MemberRow, form: Form) -> str:
    await team.remove_by(identity_of(request), by.tenant_id, by, _whom(form))
    return "removed"


def _whom(form: Form) -> str:
    email = form.raw("member")
    if not email or len(email) > MAX_EMAIL or not email.isprintable():
        raise NotFound("There is no such member.")
    return email


_ACTIONS: Final[Mapping[str, Action]] = {"invite": _invite, "role": _change, "resend": _resend, "remove": _remove}
"""What the page's forms name in their field `action`."""
