"""The pages `login`, in two steps where a second factor is set up, and `logout`, of any console."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity.visit import MAX_EMAIL
from ...flows.members import login, passkeys, sessions
from ...theming.forms import FormView
from ...theming.identity import CodeView, LoginView
from ..account.showing import identity_of, show
from ..forms import Form, read_form
from ..guards import see_other
from ..members import enter, leave, pending_of, present, session_token, visit_of_member, wait_for_code
from ..pages import Handler, Pages, storefront_of
from ..passkeys import options, party_of, passkeys_work
from ..throttled import too_many

_DONE: Final = frozenset({"password", "out"})
_MAX_CODE: Final = 40
_MAX_NEXT: Final = 500


def login_handlers(pages: Pages, base: str) -> list[HTTPRouteHandler]:
    """Log-in and log-out of the console whose paths begin with `base`."""

    @get(f"{base}/login")
    async def ask(request: Handler) -> Response[Any]:
        target = request.query_params.get("next", "")
        if present(request) is not None:
            return see_other(next_of(target, base))
        return show(pages, request, "console/login.html", _view(request, FormView(), target))

    @post(f"{base}/login")
    async def enter_(request: Handler) -> Response[Any]:
        form = await read_form(request)
        if "credential" in form.fields:
            return await _by_passkey(pages, request, form, base)
        if "code" in form.fields and "password" not in form.fields:
            return await _second_step(pages, request, form, base)
        return await _first_step(pages, request, form, base)

    @post(f"{base}/logout")
    async def out(request: Handler) -> Response[Any]:
        await read_form(request)
        token = session_token(request)
        if token is not None:
            await sessions.log_out(identity_of(request), storefront_of(request).tenant_id, token)
        answer = see_other(f"{base}/login?done=out")
        leave(request, answer)
        return answer

    return [ask, enter_, out, *_passkey_handlers(base)]


def _passkey_handlers(base: str) -> list[HTTPRouteHandler]:
    @post(f"{base}/login/passkey/options")
    async def begin(request: Handler) -> Response[Any]:
        second = (await read_form(request)).ticked("second")
        pending, visit = pending_of(request) if second else None, visit_of_member(request)
        party = party_of(request, pending or visit.form)
        return await options(passkeys.begin_login(identity_of(request), visit, party, pending))

    return [begin]


def next_of(target: str, base: str) -> str:
    """Where to go after a log-in: a page of this console, whatever was asked for."""
    home = base or "/"
    if not target or len(target) > _MAX_NEXT or not target.isascii() or not target.isprintable():
        return home
    if not target.startswith("/") or target.startswith("//") or "\\" in target or " " in target:
        return home
    try:
        parts = urlsplit(target)
    except ValueError:
        return home
    inside = not base or parts.path == base or parts.path.startswith(f"{base}/")
    doors = (f"{base}/login", f"{base}/logout", f"{base}/invite", f"{base}/reset")
    return target if inside and not parts.scheme and not parts.netloc and parts.path not in doors else home


def _view(request: Handler, form: FormView, target: str) -> LoginView:
    done = request.query_params.get("done", "")
    return LoginView(form=form, next=target, done=done if done in _DONE else "", passkeys=passkeys_work(request))


def _code_view(request: Handler, target: str, form: FormView | None = None) -> CodeView:
    return CodeView(form=form or FormView(), next=target, passkeys=passkeys_work(request))


async def _first_step(pages: Pages, request: Handler, form: Form, base: str) -> Response[Any]:
    target = form.raw("next")
    try:
        email, password = form.line("email", MAX_EMAIL), form.raw("password")
        if not password:
            raise InvalidForm({"password": ("form.needed", {})})
        entered = await login.log_in(
            identity_of(request), visit_of_member(request), email, password, old_session=session_token(request)
        )
    except RateLimited as error:
        problem, status, headers = too_many(error)
        view = _view(request, form.view(problem), target)
        return show(pages, request, "console/login.html", view, status=status, headers=headers)
    except InvalidForm as error:
        view = _view(request, form.view(error), target)
        return show(pages, request, "console/login.html", view, status=error.status)
    if entered.pending is not None:
        answer = show(pages, request, "console/code.html", _code_view(request, target))
        wait_for_code(request, answer, entered.pending)
        return answer
    answer = see_other(next_of(target, base))
    if entered.opened is not None:
        enter(request, answer, entered.opened)
    return answer


async def _second_step(pages: Pages, request: Handler, form: Form, base: str) -> Response[Any]:
    target, pending = form.raw("next"), pending_of(request) or ""
    identity, visit = identity_of(request), visit_of_member(request)
    status, headers = 422, dict[str, str]()
    try:
        code = form.line("code", _MAX_CODE)
        opened = await login.enter_code(identity, visit, pending, code, old_session=session_token(request))
    except RateLimited as error:
        problem, status, headers = too_many(error)
    except InvalidForm as error:
        problem = error
    else:
        answer = see_other(next_of(target, base))
        enter(request, answer, opened)
        return answer
    if await login.pending_member(identity, visit.tenant_id, pending) is None:
        return show(pages, request, "console/login.html", _view(request, form.view(problem), target), status=status)
    view = _code_view(request, target, form.view(problem))
    return show(pages, request, "console/code.html", view, status=status, headers=headers)


async def _by_passkey(pages: Pages, request: Handler, form: Form, base: str) -> Response[Any]:
    target, identity, visit = form.raw("next"), identity_of(request), visit_of_member(request)
    pending = pending_of(request) if form.ticked("second") else None
    party = party_of(request, pending or visit.form)
    try:
        opened = await passkeys.log_in(
            identity,
            visit,
            party,
            form.raw("credential"),
            pending=pending,
            old_session=session_token(request),
        )
    except InvalidForm as error:
        if pending is not None and await login.pending_member(identity, visit.tenant_id, pending) is not None:
            step = _code_view(request, target, form.view(error))
            return show(pages, request, "console/code.html", step, status=error.status)
        view = _view(request, form.view(error), target)
        return show(pages, request, "console/login.html", view, status=error.status)
    answer = see_other(next_of(target, base))
    enter(request, answer, opened)
    return answer
