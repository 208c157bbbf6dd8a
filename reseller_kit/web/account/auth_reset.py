"""The page `/reset`: ask for a link, and set a password behind it. Links of invitations lead here too."""

from __future__ import annotations

import time
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity import passwords
from ...flows.identity.passwords import SetLink
from ...flows.identity.visit import MAX_EMAIL
from ...theming.forms import FormView
from ...theming.identity import NoticeView, ResetView, SetPasswordView
from ...vault.passwords import SHORTEST
from ..forms import Form, read_form
from ..guards import HOME, see_other
from ..pages import Handler, Pages, storefront_of
from ..sessions import enter, session_token, visit_of_request
from ..throttled import too_many, until_tick
from .showing import identity_of, show

_MAX_TOKEN: Final = 100


def reset_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """A forgotten password, and the first one."""

    @get("/reset")
    async def ask(request: Handler) -> Response[Any]:
        token = request.query_params.get("token")
        if token is None:
            return show(pages, request, "auth/reset.html", ResetView())
        link = await passwords.find_set_link(identity_of(request), storefront_of(request).tenant_id, token[:_MAX_TOKEN])
        if link is None:
            return _gone(pages, request)
        return show(pages, request, "auth/set_password.html", _view(link, token, FormView()))

    @post("/reset")
    async def send(request: Handler) -> Response[Any]:
        form = await read_form(request)
        return await (_set(pages, request, form) if form.raw("token") else _ask(pages, request, form))

    return [ask, send]


def _view(link: SetLink, token: str, form: FormView) -> SetPasswordView:
    return SetPasswordView(
        form=form, token=token, email=link.email, first=link.first, asks_terms=link.asks_terms, shortest=SHORTEST
    )


async def _ask(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    began = time.monotonic()
    try:
        email = form.line("email", MAX_EMAIL)
        if "@" not in email:
            raise InvalidForm({"email": ("form.email_invalid", {})})
        await passwords.ask_reset(identity_of(request), visit_of_request(request), email)
    except RateLimited as error:
        problem, status, headers = too_many(error)
        view = ResetView(form=form.view(problem))
        return show(pages, request, "auth/reset.html", view, status=status, headers=headers)
    except InvalidForm as error:
        return show(pages, request, "auth/reset.html", ResetView(form=form.view(error)), status=error.status)
    await until_tick(began)
    return show(pages, request, "auth/notice.html", NoticeView(kind="reset", email=email))


async def _set(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    identity, visit = identity_of(request), visit_of_request(request)
    token = form.raw("token")[:_MAX_TOKEN]
    link = await passwords.find_set_link(identity, visit.tenant_id, token)
    if link is None:
        return _gone(pages, request)
    try:
        done = await passwords.set_by_link(
            identity,
            visit,
            token,
            form.raw("password"),
            terms_version=pages.terms_version(request) if link.asks_terms else None,
            old_session=session_token(request),
        )
    except InvalidForm as error:
        view = _view(link, token, form.view(error))
        return show(pages, request, "auth/set_password.html", view, status=error.status)
    if done is None:
        return _gone(pages, request)
    answer = see_other(HOME if done.opened else "/login?done=password")
    if done.opened is not None:
        enter(request, answer, done.opened)
    return answer


def _gone(pages: Pages, request: Handler) -> Response[Any]:
    return show(pages, request, "auth/notice.html", NoticeView(kind="reset_gone"), status=410)
