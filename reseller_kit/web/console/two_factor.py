"""The pages that set up a member's second factor, below `profile` of any console; owners and operators must."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity.second_factor import Setup
from ...flows.members import second_factor
from ...theming.console import TwoFactorView
from ...theming.forms import FormView
from ...theming.identity import RecoveryCodesView
from ..account.showing import identity_of
from ..forms import Form, read_form
from ..guards import see_other
from ..members import enter, member_of, visit_of_member
from ..pages import Handler, Pages
from ..passkeys import passkeys_work
from ..qr import qr_answer
from ..throttled import too_many
from .guards import logged_in
from .profile import add_passkey, console_name

_MAX_CODE: Final = 40


def two_factor_handlers(pages: Pages, base: str) -> list[HTTPRouteHandler]:
    """Setting up an authenticator app, or a passkey in its place."""
    path = f"{base}/profile/two-factor"

    @get(path, guards=[logged_in])
    async def scan(request: Handler) -> Response[Any]:
        member = member_of(request)
        if member.two_factor:
            return see_other(f"{base}/profile")
        setup = await _waiting(request)
        if setup is None and not member.needs_two_factor:
            return see_other(f"{base}/profile")
        return _page(pages, request, setup)

    @get(f"{path}.svg", guards=[logged_in])
    async def picture(request: Handler) -> Response[Any]:
        setup = await _waiting(request)
        if setup is None:
            raise NotFoundException
        return qr_answer(setup.uri)

    @post(path, guards=[logged_in])
    async def confirm(request: Handler) -> Response[Any]:
        form, member = await read_form(request), member_of(request)
        if form.raw("action") == "begin":
            # Who must have a second factor has nothing to lose before it: no password is asked for once more.
            if member.needs_two_factor:
                await second_factor.begin(identity_of(request), visit_of_member(request), member.id)
            return see_other(path)
        if form.raw("action") == "add_passkey":
            return await _by_passkey(pages, request, form, base)
        return await _confirm(pages, request, form, base)

    return [scan, picture, confirm]


def _page(
    pages: Pages, request: Handler, setup: Setup | None, form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member = member_of(request)
    view = TwoFactorView(
        secret=setup.secret if setup else "",
        needed=member.needs_two_factor,
        role=member.role,
        passkeys_work=passkeys_work(request),
        form=form or FormView(),
    )
    return pages.answer(request, "console/two_factor.html", view=view, status=status)


async def _by_passkey(pages: Pages, request: Handler, form: Form, base: str) -> Response[Any]:
    try:
        return await add_passkey(pages, request, member_of(request), form, base)
    except InvalidForm as error:
        return _page(pages, request, await _waiting(request), form.view(error), error.status)


async def _waiting(request: Handler) -> Setup | None:
    identity, visit = identity_of(request), visit_of_member(request)
    return await second_factor.waiting(identity, visit, member_of(request).id, issuer=console_name(request))


async def _confirm(pages: Pages, request: Handler, form: Form, base: str) -> Response[Any]:
    member = member_of(request)
    try:
        enabled = await second_factor.enable(
            identity_of(request),
            visit_of_member(request),
            member.id,
            form.line("code", _MAX_CODE),
            session=member.token,
        )
    except RateLimited as error:
        wrong, status, _ = too_many(error)
    except InvalidForm as error:
        wrong, status = error, error.status
    else:
        view = RecoveryCodesView(codes=enabled.recovery_codes)
        answer = pages.answer(request, "console/recovery_codes.html", view=view)
        enter(request, answer, enabled.opened)
        return answer
    setup = await _waiting(request)
    if setup is None:
        return see_other(f"{base}/profile")
    return _page(pages, request, setup, form.view(wrong), status)
