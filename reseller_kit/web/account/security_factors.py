"""The pages that set up a second factor and passkeys, below `/account/security`."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity import login, passkeys, profile, second_factor
from ...flows.identity.second_factor import Setup
from ...theming.identity import RecoveryCodesView, TwoFactorView
from ..forms import Form, read_form
from ..guards import SECURITY, see_other, verified
from ..pages import Handler, Pages, storefront_of
from ..passkeys import options, party_of
from ..qr import qr_answer
from ..sessions import Session, enter, required_session, visit_of_request
from ..throttled import too_many
from .showing import identity_of, show

_TWO_FACTOR: Final = f"{SECURITY}/two-factor"
_MAX_CODE: Final = 40


def factor_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Setting up an authenticator app."""

    @get(_TWO_FACTOR, guards=[verified])
    async def scan(request: Handler) -> Response[Any]:
        setup = await _waiting(request, required_session(request))
        if setup is None:
            return see_other(SECURITY)
        return show(pages, request, "account/two_factor.html", TwoFactorView(secret=setup.secret))

    @get(f"{_TWO_FACTOR}.svg", guards=[verified])
    async def picture(request: Handler) -> Response[Any]:
        setup = await _waiting(request, required_session(request))
        if setup is None:
            raise NotFoundException
        return qr_answer(setup.uri)

    @post(_TWO_FACTOR, guards=[verified])
    async def confirm(request: Handler) -> Response[Any]:
        return await _confirm(pages, request)

    return [scan, picture, confirm, *_passkey_handlers()]


async def _waiting(request: Handler, session: Session) -> Setup | None:
    return await second_factor.waiting(
        identity_of(request),
        visit_of_request(request),
        session.customer_id,
        issuer=storefront_of(request).name,
        account=session.email,
    )


async def _confirm(pages: Pages, request: Handler) -> Response[Any]:
    form, session = await read_form(request), required_session(request)
    status, headers = 422, dict[str, str]()
    try:
        enabled = await second_factor.enable(
            identity_of(request),
            visit_of_request(request),
            session.customer_id,
            form.line("code", _MAX_CODE),
            session=session.token,
        )
    except RateLimited as error:
        wrong, status, headers = too_many(error)
    except InvalidForm as error:
        wrong = error
    else:
        answer = show(pages, request, "account/recovery_codes.html", RecoveryCodesView(codes=enabled.recovery_codes))
        enter(request, answer, enabled.opened)
        return answer
    setup = await _waiting(request, session)
    if setup is None:
        return see_other(SECURITY)
    view = TwoFactorView(secret=setup.secret, form=form.view(wrong))
    return show(pages, request, "account/two_factor.html", view, status=status, headers=headers)


def _passkey_handlers() -> list[HTTPRouteHandler]:
    @post(f"{SECURITY}/passkeys/options", guards=[verified])
    async def begin(request: Handler) -> Response[Any]:
        return await options(_begin(request, await read_form(request), required_session(request)))

    return [begin]


async def _begin(request: Handler, form: Form, session: Session) -> str:
    identity, visit = identity_of(request), visit_of_request(request)
    await login.confirm_password(identity, visit, session.customer_id, form.raw("password"))
    customer = await profile.of(identity, session.tenant_id, session.customer_id)
    return await passkeys.begin_adding(identity, visit, customer, party_of(request, session.token))
