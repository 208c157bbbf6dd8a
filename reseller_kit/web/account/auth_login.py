"""The pages `/login`, in two steps where a second factor is set up, and `/logout`."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity import login, passkeys, sessions
from ...flows.identity.signup import policy_of
from ...flows.identity.visit import MAX_EMAIL
from ...theming.forms import FormView
from ...theming.identity import CodeView, LoginView, NoticeView
from ..forms import Form, read_form
from ..guards import safe_next, see_other
from ..pages import Handler, Pages, storefront_of
from ..passkeys import options, party_of, passkeys_work
from ..sessions import (
    enter,
    leave,
    pending_of,
    session_of,
    session_token,
    visit_of_request,
    wait_for_code,
)
from ..throttled import too_many
from .showing import identity_of, show

_DONE: Final = frozenset({"password"})
_MAX_CODE: Final = 40


def login_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Log-in and log-out."""

    @get("/login")
    async def ask(request: Handler) -> Response[Any]:
        target = request.query_params.get("next", "")
        if session_of(request) is not None:
            return see_other(safe_next(target))
        if request.query_params.get("step") == "code" and await _pending(request) is not None:
            view = CodeView(next=target, passkeys=passkeys_work(request))
            return show(pages, request, "auth/code.html", view)
        return show(pages, request, "auth/login.html", _view(request, FormView(), target))

    @post("/login")
    async def enter_(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if "credential" in form.fields:
            return await _by_passkey(pages, request, form)
        if "code" in form.fields and "password" not in form.fields:
            return await _second_step(pages, request, form)
        return await _first_step(pages, request, form)

    return [ask, enter_, *_logout_handlers(pages), *_passkey_handlers()]


def _logout_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    @get("/logout")
    async def ask_out(request: Handler) -> Response[Any]:
        if session_of(request) is None:
            return see_other("/")
        return show(pages, request, "auth/logout.html", NoticeView(kind="log_out"))

    @post("/logout")
    async def out(request: Handler) -> Response[Any]:
        await read_form(request)
        token = session_token(request)
        if token is not None:
            await sessions.log_out(identity_of(request), storefront_of(request).tenant_id, token)
        answer = see_other("/")
        leave(request, answer)
        return answer

    return [ask_out, out]


def _passkey_handlers() -> list[HTTPRouteHandler]:
    @post("/login/passkey/options")
    async def begin(request: Handler) -> Response[Any]:
        second = (await read_form(request)).ticked("second")
        pending, visit = pending_of(request) if second else None, visit_of_request(request)
        party = party_of(request, pending or visit.form)
        return await options(passkeys.begin_login(identity_of(request), visit, party, pending))

    return [begin]


def _view(request: Handler, form: FormView, target: str) -> LoginView:
    done = request.query_params.get("done", "")
    return LoginView(
        form=form,
        next=target,
        done=done if done in _DONE else "",
        passkeys=passkeys_work(request),
        signup=policy_of(storefront_of(request).settings).mode == "open",
    )


async def _pending(request: Handler) -> str | None:
    """The token of a first step that was taken, if it still holds."""
    pending = pending_of(request)
    if pending is None:
        return None
    tenant_id = storefront_of(request).tenant_id
    return pending if await login.pending_customer(identity_of(request), tenant_id, pending) else None


async def _first_step(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    target = form.raw("next")
    try:
        email, password = form.line("email", MAX_EMAIL), form.raw("password")
        if not password:
            raise InvalidForm({"password": ("form.needed", {})})
        entered = await login.log_in(
            identity_of(request), visit_of_request(request), email, password, old_session=session_token(request)
        )
    except RateLimited as error:
        problem, status, headers = too_many(error)
        view = _view(request, form.view(problem), target)
        return show(pages, request, "auth/login.html", view, status=status, headers=headers)
    except InvalidForm as error:
        view = _view(request, form.view(error), target)
        return show(pages, request, "auth/login.html", view, status=error.status)
    if entered.pending is not None:
        step = CodeView(next=target, passkeys=passkeys_work(request))
        answer = show(pages, request, "auth/code.html", step)
        wait_for_code(request, answer, entered.pending)
        return answer
    answer = see_other(safe_next(target))
    if entered.opened is not None:
        enter(request, answer, entered.opened)
    return answer


async def _by_passkey(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    target, visit = form.raw("next"), visit_of_request(request)
    pending = pending_of(request) if form.ticked("second") else None
    try:
        opened = await passkeys.log_in(
            identity_of(request),
            visit,
            party_of(request, pending or visit.form),
            form.raw("credential"),
            pending=pending,
            old_session=session_token(request),
        )
    except InvalidForm as error:
        if pending is not None and await _pending(request) is not None:
            step = CodeView(form=form.view(error), next=target, passkeys=passkeys_work(request))
            return show(pages, request, "auth/code.html", step, status=error.status)
        view = _view(request, form.view(error), target)
        return show(pages, request, "auth/login.html", view, status=error.status)
    answer = see_other(safe_next(target))
    enter(request, answer, opened)
    return answer


async def _second_step(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    target = form.raw("next")
    status, headers = 422, dict[str, str]()
    try:
        code = form.line("code", _MAX_CODE)
        opened = await login.enter_code(
            identity_of(request),
            visit_of_request(request),
            pending_of(request) or "",
            code,
            old_session=session_token(request),
        )
    except RateLimited as error:
        problem, status, headers = too_many(error)
    except InvalidForm as error:
        problem = error
    else:
        answer = see_other(safe_next(target))
        enter(request, answer, opened)
        return answer
    if await _pending(request) is None:
        return show(pages, request, "auth/login.html", _view(request, form.view(problem), target), status=status)
    view = CodeView(form=form.view(problem), next=target, passkeys=passkeys_work(request))
    return show(pages, request, "auth/code.html", view, status=status, headers=headers)
