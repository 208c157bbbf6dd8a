"""The pages `invite` and `reset` of any console: links that set a member's password, and asking for one."""

from __future__ import annotations

import time
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity.visit import MAX_EMAIL, MAX_NAME
from ...flows.members import links
from ...flows.members.links import MemberLink, Purpose
from ...theming.console import ForgottenView, LinkView
from ...theming.forms import FormView
from ...vault.passwords import SHORTEST
from ..account.showing import identity_of, show
from ..forms import Form, read_form
from ..guards import see_other
from ..members import enter, session_token, visit_of_member
from ..pages import Handler, Pages, storefront_of
from ..throttled import too_many, until_tick

_MAX_TOKEN: Final = 100


def link_handlers(pages: Pages, base: str) -> list[HTTPRouteHandler]:
    """Invitations and forgotten passwords of the console whose paths begin with `base`."""

    @get(f"{base}/invite")
    async def invited(request: Handler) -> Response[Any]:
        return await _open(pages, request, "invite", request.query_params.get("token", ""))

    @post(f"{base}/invite")
    async def accept(request: Handler) -> Response[Any]:
        return await _use(pages, request, "invite", await read_form(request), base)

    @get(f"{base}/reset")
    async def ask(request: Handler) -> Response[Any]:
        token = request.query_params.get("token")
        if token is None:
            return show(pages, request, "console/forgotten.html", ForgottenView())
        return await _open(pages, request, "reset", token)

    @post(f"{base}/reset")
    async def send(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if form.raw("token"):
            return await _use(pages, request, "reset", form, base)
        return await _ask(pages, request, form)

    return [invited, accept, ask, send]


async def _open(pages: Pages, request: Handler, purpose: Purpose, token: str) -> Response[Any]:
    tenant_id = storefront_of(request).tenant_id
    link = await links.find(identity_of(request), tenant_id, token[:_MAX_TOKEN], purpose)
    if link is None:
        return _gone(pages, request)
    return show(pages, request, "console/link.html", _view(purpose, token, link, FormView()))


async def _use(pages: Pages, request: Handler, purpose: Purpose, form: Form, base: str) -> Response[Any]:
    identity, visit = identity_of(request), visit_of_member(request)
    token = form.raw("token")[:_MAX_TOKEN]
    link = await links.find(identity, visit.tenant_id, token, purpose)
    if link is None:
        return _gone(pages, request)
    try:
        done = await links.use(
            identity,
            visit,
            token,
            purpose,
            password=form.raw("password"),
            name=form.line("name", MAX_NAME) if purpose == "invite" else None,
            old_session=session_token(request),
        )
    except InvalidForm as error:
        view = _view(purpose, token, link, form.view(error))
        return show(pages, request, "console/link.html", view, status=error.status)
    if done is None:
        return _gone(pages, request)
    if done.opened is None:
        return see_other(f"{base}/login?done=password")
    answer = see_other(base or "/")
    enter(request, answer, done.opened)
    return answer


async def _ask(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    began = time.monotonic()
    try:
        email = form.line("email", MAX_EMAIL)
        if "@" not in email:
            raise InvalidForm({"email": ("form.email_invalid", {})})
        await links.ask_reset(identity_of(request), visit_of_member(request), email)
    except RateLimited as error:
        problem, status, headers = too_many(error)
        view = ForgottenView(form=form.view(problem))
        return show(pages, request, "console/forgotten.html", view, status=status, headers=headers)
    except InvalidForm as error:
        return show(pages, request, "console/forgotten.html", ForgottenView(form=form.view(error)), status=error.status)
    await until_tick(began)
    return show(pages, request, "console/forgotten.html", ForgottenView(sent=email))


def _view(purpose: Purpose, token: str, link: MemberLink, form: FormView) -> LinkView:
    return LinkView(
        purpose=purpose,
        token=token,
        email=link.email,
        name=link.name,
        role=link.role,
        form=form,
        shortest=SHORTEST,
    )


def _gone(pages: Pages, request: Handler) -> Response[Any]:
    return show(pages, request, "console/gone.html", None, status=410)
