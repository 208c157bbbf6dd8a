"""The pages below `profile` of any console: a member's own name, password, second factor and sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...core.times import SECOND_US
from ...flows.identity.visit import MAX_NAME
from ...flows.members import login, passkeys, profile, second_factor, sessions
from ...theming.console import ProfileView
from ...theming.forms import FormView
from ...theming.identity import PasskeyLine, RecoveryCodesView, SessionLine
from ...vault.passwords import SHORTEST
from ..account.showing import identity_of
from ..forms import Form, read_form
from ..guards import see_other
from ..members import Member, enter, member_of, visit_of_member
from ..pages import Handler, Pages, storefront_of
from ..passkeys import name_of, options, party_of, passkeys_work
from ..throttled import too_many
from .guards import entered, logged_in

_DONE: Final = frozenset(
    {"name", "password", "two_factor", "two_factor_off", "session", "sessions", "passkey", "passkey_added"}
)
_MAX_ID: Final = 40
Action = Callable[[Pages, Handler, Member, Form, str], Awaitable[Response[Any]]]


def profile_handlers(pages: Pages, base: str) -> list[HTTPRouteHandler]:
    """The profile of whoever is logged in to the console whose paths begin with `base`."""

    @get(f"{base}/profile", guards=[entered])
    async def look(request: Handler) -> Response[Any]:
        done = request.query_params.get("done", "")
        return await _show(pages, request, done=done if done in _DONE else "")

    @post(f"{base}/profile", guards=[entered])
    async def act(request: Handler) -> Response[Any]:
        form = await read_form(request)
        name = form.raw("action")
        action = _ACTIONS.get(name)
        if action is None:
            return see_other(f"{base}/profile")
        try:
            return await action(pages, request, member_of(request), form, base)
        except RateLimited as error:
            problem, status, headers = too_many(error)
            return await _show(pages, request, action=name, form=form.view(problem), status=status, headers=headers)
        except InvalidForm as error:
            return await _show(pages, request, action=name, form=form.view(error), status=error.status)

    @post(f"{base}/profile/passkeys/options", guards=[logged_in])
    async def begin(request: Handler) -> Response[Any]:
        return await options(_begin(request, member_of(request), await read_form(request)))

    return [look, act, begin]


async def _show(
    pages: Pages,
    request: Handler,
    *,
    done: str = "",
    action: str = "",
    form: FormView | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    member = member_of(request)
    found = await profile.look(identity_of(request), member.tenant_id, member.id)
    view = ProfileView(
        email=member.email,
        name=member.name,
        role=member.role,
        app=found.member.totp_at is not None,
        passkeys=tuple(
            PasskeyLine(
                id=row.id,
                name=row.name,
                host=row.host,
                made=_moment(row.created_at, member).date(),
                used=None if row.used_at is None else _moment(row.used_at, member).date(),
            )
            for row in found.passkeys
        ),
        passkeys_work=passkeys_work(request),
        recovery_codes=found.recovery_codes,
        sessions=tuple(
            SessionLine(
                id=row.id,
                browser=row.agent,
                place=row.place,
                started=_moment(row.created_at, member),
                seen=_moment(row.seen_at, member),
                current=row.id == member.session_id,
            )
            for row in found.sessions
        ),
        shortest=SHORTEST,
        form=form or FormView(),
        action=action,
        done=done,
    )
    return pages.answer(request, "console/profile.html", view=view, status=status, headers=headers)


def console_name(request: Handler) -> str:
    """What apps and passkeys call the console."""
    return f"{storefront_of(request).name} Console"


def _moment(at: int, member: Member) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // SECOND_US, member.zone)


async def confirm(request: Handler, member: Member, form: Form) -> None:
    """Ask for the password again before what somebody at an open browser must not do. Raises InvalidForm."""
    await login.confirm_password(identity_of(request), visit_of_member(request), member.id, form.raw("password"))


async def _name(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    name = form.line("name", MAX_NAME)
    await profile.rename(identity_of(request), visit_of_member(request), member.id, name)
    return see_other(f"{base}/profile?done=name")


async def _password(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await confirm(request, member, form)
    opened = await profile.change_password(
        identity_of(request), visit_of_member(request), member.id, form.raw("new_password"), session=member.token
    )
    answer = see_other(f"{base}/profile?done=password")
    if opened is not None:
        enter(request, answer, opened)
    return answer


async def _two_factor_on(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await confirm(request, member, form)
    await second_factor.begin(identity_of(request), visit_of_member(request), member.id)
    return see_other(f"{base}/profile/two-factor")


async def _two_factor_off(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await confirm(request, member, form)
    await second_factor.disable(identity_of(request), visit_of_member(request), member.id)
    return see_other(f"{base}/profile?done=two_factor_off")


async def _recovery_codes(pages: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await confirm(request, member, form)
    codes = await second_factor.new_recovery_codes(identity_of(request), visit_of_member(request), member.id)
    if not codes:
        return see_other(f"{base}/profile")
    return pages.answer(request, "console/recovery_codes.html", view=RecoveryCodesView(codes=codes))


async def _begin(request: Handler, member: Member, form: Form) -> str:
    # Who must have a second factor has nothing to lose before it: no password is asked for once more.
    if not member.needs_two_factor:
        await confirm(request, member, form)
    party = party_of(request, member.token, console_name(request))
    return await passkeys.begin_adding(identity_of(request), visit_of_member(request), member.id, party)


async def add_passkey(pages: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    """Keep the passkey that the browser made; the first factor brings recovery codes. Raises InvalidForm."""
    visit = visit_of_member(request)
    enabled = await passkeys.add(
        identity_of(request),
        visit,
        member.id,
        party_of(request, member.token),
        answer=form.raw("credential"),
        name=name_of(form, visit.browser),
        session=member.token,
    )
    if enabled is None:
        return see_other(f"{base}/profile?done=passkey_added")
    answer = pages.answer(request, "console/recovery_codes.html", view=RecoveryCodesView(codes=enabled.recovery_codes))
    enter(request, answer, enabled.opened)
    return answer


async def _remove_passkey(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await confirm(request, member, form)
    await passkeys.remove(identity_of(request), visit_of_member(request), member.id, form.raw("passkey")[:_MAX_ID])
    return see_other(f"{base}/profile?done=passkey")


async def _end_session(_: Pages, request: Handler, member: Member, form: Form, base: str) -> Response[Any]:
    await sessions.revoke(identity_of(request), member.tenant_id, member.id, form.raw("session")[:_MAX_ID])
    return see_other(f"{base}/profile?done=session")


async def _end_others(_: Pages, request: Handler, member: Member, __: Form, base: str) -> Response[Any]:
    await sessions.revoke_others(identity_of(request), member.tenant_id, member.id, member.session_id)
    return see_other(f"{base}/profile?done=sessions")


_ACTIONS: Final[Mapping[str, Action]] = {
    "name": _name,
    "password": _password,
    "two_factor_on": _two_factor_on,
    "two_factor_off": _two_factor_off,
    "recovery_codes": _recovery_codes,
    "add_passkey": add_passkey,
    "remove_passkey": _remove_passkey,
    "end_session": _end_session,
    "end_others": _end_others,
}
"""What the page's forms name in their field `action`."""
