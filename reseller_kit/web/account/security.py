"""The pages below `/account/security`: what a customer logs in with, where it is logged in, and leaving."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ...core.errors import InvalidForm, RateLimited
from ...core.times import SECOND_US
from ...flows.identity import (
    attempts,
    closing,
    email_change,
    export,
    login,
    overview,
    passkeys,
    passwords,
    profile,
    second_factor,
    sessions,
)
from ...flows.identity.visit import MAX_EMAIL, MAX_NAME
from ...theming.forms import FormView
from ...theming.identity import PasskeyLine, RecoveryCodesView, SecurityView, SessionLine
from ...vault.passwords import SHORTEST
from ..cookies import set_cookie
from ..forms import Form, read_form
from ..guards import CHECK_MAIL, SECURITY, SeeOther, see_other, signed_in
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS
from ..pages.language import PARAMETER
from ..passkeys import name_of, party_of, passkeys_work
from ..sessions import Session, enter, required_session, visit_of_request
from ..throttled import too_many
from .showing import identity_of, show

_DONE: Final = frozenset(
    {"profile", "email", "password", "two_factor_off", "passkey", "session", "sessions", "kept", "passkey_added"}
)
_MAX_ID: Final = 40
Action = Callable[[Pages, Handler, Session, Form], Awaitable[Response[Any]]]


def security_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The security page and the export of everything."""

    @get(SECURITY, guards=[signed_in])
    async def look(request: Handler) -> Response[Any]:
        done = request.query_params.get("done", "")
        return await _show(pages, request, done=done if done in _DONE else "")

    @post(SECURITY, guards=[signed_in])
    async def act(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if not required_session(request).verified:
            raise SeeOther(CHECK_MAIL)
        name = form.raw("action")
        action = _ACTIONS.get(name)
        if action is None:
            return see_other(SECURITY)
        try:
            return await action(pages, request, required_session(request), form)
        except RateLimited as error:
            problem, status, headers = too_many(error)
            return await _show(pages, request, action=name, form=form.view(problem), status=status, headers=headers)
        except InvalidForm as error:
            return await _show(pages, request, action=name, form=form.view(error), status=error.status)

    @get(f"{SECURITY}/export.json", guards=[signed_in])
    async def download(request: Handler) -> Response[Any]:
        session, identity = required_session(request), identity_of(request)
        await attempts.count(identity, session.tenant_id, attempts.by_account(identity, "export", session.customer_id))
        parts = export.export(identity, session.tenant_id, session.customer_id)
        name = f"{storefront_of(request).slug}-account.json"
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="{name}"',
        }
        return Stream(parts, media_type="application/json", headers=headers)

    return [look, act, download]


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
    session, identity = required_session(request), identity_of(request)
    state = await overview.of_customer(identity, session.tenant_id, session.customer_id)
    zone = ZoneInfo(session.timezone or storefront_of(request).timezone)
    brand = storefront_of(request).settings.get("brand", {})
    view = SecurityView(
        email=session.email,
        name=session.name,
        locale=session.locale or "",
        timezone=session.timezone or "",
        locales=tuple(brand.get("locales", ("en",))),
        two_factor=state.two_factor,
        recovery_codes=state.recovery_codes,
        passkeys=tuple(
            PasskeyLine(
                id=row.id,
                name=row.name,
                made=_moment(row.created_at, zone).date(),
                used=None if row.used_at is None else _moment(row.used_at, zone).date(),
            )
            for row in state.passkeys
        ),
        passkeys_work=passkeys_work(request),
        sessions=tuple(
            SessionLine(
                id=row.id,
                browser=row.agent,
                place=row.place,
                started=_moment(row.created_at, zone),
                seen=_moment(row.seen_at, zone),
                current=row.id == session.id,
            )
            for row in state.sessions
        ),
        shortest=SHORTEST,
        form=form or FormView(),
        action=action,
        done=done,
        delete_on=_moment(session.delete_at, zone).date() if session.delete_at else None,
        grace_days=closing.GRACE_DAYS,
    )
    return show(pages, request, "account/security.html", view, status=status, headers=headers)


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // SECOND_US, zone)


def _finished(what: str) -> Response[Any]:
    return see_other(f"{SECURITY}?done={what}")


async def _password(request: Handler, session: Session, form: Form) -> None:
    """Ask for the password again before what somebody at an open browser must not do."""
    await login.confirm_password(
        identity_of(request), visit_of_request(request), session.customer_id, form.raw("password")
    )


async def _profile(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await profile.save(
        identity_of(request),
        visit_of_request(request),
        session.customer_id,
        name=form.line("name", MAX_NAME, needed=False),
        locale=form.line("locale", 20, needed=False) or None,
        timezone=form.line("timezone", 60, needed=False) or None,
    )
    answer = _finished("profile")
    # What was chosen on a page before would hide the choice that was made here.
    set_cookie(request, answer, PARAMETER, "", 0)
    return answer


async def _email(pages: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    address = form.line("email", MAX_EMAIL)
    await _password(request, session, form)
    asked = await email_change.ask(identity_of(request), visit_of_request(request), session.customer_id, address)
    return await _show(pages, request, done="email", form=FormView(values={"asked": asked}))


async def _new_password(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await _password(request, session, form)
    opened = await passwords.change(
        identity_of(request),
        visit_of_request(request),
        session.customer_id,
        form.raw("new_password"),
        session=session.token,
    )
    answer = _finished("password")
    if opened is not None:
        enter(request, answer, opened)
    return answer


async def _two_factor_on(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await _password(request, session, form)
    await second_factor.begin(identity_of(request), visit_of_request(request), session.customer_id)
    return see_other(f"{SECURITY}/two-factor")


async def _two_factor_off(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await _password(request, session, form)
    await second_factor.disable(identity_of(request), visit_of_request(request), session.customer_id)
    return _finished("two_factor_off")


async def _recovery_codes(pages: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await _password(request, session, form)
    codes = await second_factor.new_recovery_codes(identity_of(request), visit_of_request(request), session.customer_id)
    if not codes:
        return see_other(SECURITY)
    return show(pages, request, "account/recovery_codes.html", RecoveryCodesView(codes=codes))


async def _add_passkey(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    identity, visit = identity_of(request), visit_of_request(request)
    customer = await profile.of(identity, session.tenant_id, session.customer_id)
    name, party = name_of(form, visit.browser), party_of(request, session.token)
    await passkeys.add(identity, visit, customer, party, answer=form.raw("credential"), name=name)
    return _finished("passkey_added")


async def _remove_passkey(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await passkeys.remove(
        identity_of(request), visit_of_request(request), session.customer_id, form.raw("passkey")[:_MAX_ID]
    )
    return _finished("passkey")


async def _end_session(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await sessions.revoke(identity_of(request), session.tenant_id, session.customer_id, form.raw("session")[:_MAX_ID])
    return _finished("session")


async def _end_others(_: Pages, request: Handler, session: Session, __: Form) -> Response[Any]:
    await sessions.revoke_others(identity_of(request), session.tenant_id, session.customer_id, session.id)
    return _finished("sessions")


async def _close(_: Pages, request: Handler, session: Session, form: Form) -> Response[Any]:
    await _password(request, session, form)
    await closing.close(identity_of(request), visit_of_request(request), session.customer_id, session_id=session.id)
    return see_other(SECURITY)


async def _keep(_: Pages, request: Handler, session: Session, __: Form) -> Response[Any]:
    await closing.keep(identity_of(request), visit_of_request(request), session.customer_id)
    return _finished("kept")


_ACTIONS: Final[Mapping[str, Action]] = {
    "profile": _profile,
    "email": _email,
    "password": _new_password,
    "two_factor_on": _two_factor_on,
    "two_factor_off": _two_factor_off,
    "recovery_codes": _recovery_codes,
    "add_passkey": _add_passkey,
    "remove_passkey": _remove_passkey,
    "end_session": _end_session,
    "end_others": _end_others,
    "close": _close,
    "keep": _keep,
}
"""What the page's forms name in their field `action`."""
