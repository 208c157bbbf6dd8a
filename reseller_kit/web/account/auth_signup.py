"""The pages `/signup` and `/verify`: an application, and the mailed link that confirms it.

A link that is opened in the browser that signed up logs in at once. Anywhere else it shows a button first: scanners of
mail follow links, and whoever is sent somebody else's link must not find themselves in that account.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows.identity import email_change, signup
from ...flows.identity.signup import Applicant, Policy, policy_of
from ...flows.identity.visit import MAX_EMAIL, MAX_NAME, check_password
from ...theming.forms import FormView
from ...theming.identity import ConfirmView, NoticeView, ResendView, SignupView
from ...vault.passwords import SHORTEST
from ..forms import Form, read_form
from ..guards import HOME, see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import language_of
from ..sessions import enter, session_of, session_token, visit_of_request
from ..throttled import too_many, until_tick
from .showing import identity_of, show

_MAX_TOKEN: Final = 100


def signup_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Sign-up and verification."""

    @get("/signup")
    async def ask(request: Handler) -> Response[Any]:
        if session_of(request) is not None:
            return see_other(HOME)
        return show(pages, request, "auth/signup.html", _view(request, FormView()))

    @post("/signup")
    async def apply(request: Handler) -> Response[Any]:
        return await _apply(pages, request)

    @get("/verify")
    async def follow(request: Handler) -> Response[Any]:
        token = request.query_params.get("token")
        if token is None:
            return _waiting(pages, request)
        return await _follow(pages, request, token[:_MAX_TOKEN])

    @post("/verify")
    async def confirm(request: Handler) -> Response[Any]:
        form = await read_form(request)
        token = form.raw("token")[:_MAX_TOKEN]
        return await _confirm(pages, request, token) if token else await _resend(pages, request, form)

    return [ask, apply, follow, confirm]


def _view(request: Handler, form: FormView) -> SignupView:
    policy = policy_of(storefront_of(request).settings)
    return SignupView(
        form=form, mode=policy.mode, domains=policy.domains, shortest=SHORTEST, trial_nano=policy.trial_credit
    )


async def _apply(pages: Pages, request: Handler) -> Response[Any]:
    began = time.monotonic()
    form = await read_form(request)
    visit = visit_of_request(request)
    try:
        applicant = _applicant(pages, request, form, policy_of(visit.settings))
        await signup.sign_up(identity_of(request), visit, applicant)
    except RateLimited as error:
        problem, status, headers = too_many(error)
        view = _view(request, form.view(problem))
        return show(pages, request, "auth/signup.html", view, status=status, headers=headers)
    except InvalidForm as error:
        status = 403 if policy_of(visit.settings).mode != "open" else error.status
        return show(pages, request, "auth/signup.html", _view(request, form.view(error)), status=status)
    await until_tick(began)
    return show(pages, request, "auth/notice.html", NoticeView(kind="sign_up", email=applicant.email))


def _applicant(pages: Pages, request: Handler, form: Form, policy: Policy) -> Applicant:
    """What was filled in, with everything that is wrong named at once."""
    problems: dict[str, Any] = {}
    checks: tuple[Callable[[], object], ...] = (
        lambda: signup.address_of(policy, form.line("email", MAX_EMAIL)),
        lambda: form.line("name", MAX_NAME, needed=False),
        lambda: check_password(form.raw("password")),
    )
    for check in checks:
        try:
            check()
        except InvalidForm as error:
            problems |= error.problems
    if not form.ticked("terms"):
        problems["terms"] = ("signup.terms_needed", {})
    if problems:
        raise InvalidForm(problems)
    return Applicant(
        email=form.line("email", MAX_EMAIL),
        password=form.raw("password"),
        name=form.line("name", MAX_NAME, needed=False),
        terms_version=pages.terms_version(request),
        locale=language_of(request),
    )


def _waiting(pages: Pages, request: Handler) -> Response[Any]:
    """`/verify` without a link: another one can be asked for by who is logged in."""
    session = session_of(request)
    if session is None:
        return see_other("/login")
    return see_other(HOME) if session.verified else show(pages, request, "auth/resend.html", ResendView())


async def _follow(pages: Pages, request: Handler, token: str) -> Response[Any]:
    identity, visit = identity_of(request), visit_of_request(request)
    link = await signup.find_verification(identity, visit.tenant_id, token)
    if link is not None:
        session = session_of(request)
        same = session is not None and session.customer_id == link.customer_id
        if same or signup.opened_where_it_was_asked_for(identity, visit, link):
            return await _confirm(pages, request, token)
        email = await signup.email_of(identity, visit.tenant_id, link.customer_id)
        used = link.used_at is not None
        view = NoticeView(kind="verified") if used else ConfirmView(kind="verify", email=email, token=token)
        return show(pages, request, "auth/notice.html" if used else "auth/confirm.html", view)
    address = await email_change.find(identity, visit.tenant_id, token)
    if address is None:
        return _gone(pages, request)
    view = ConfirmView(kind="email_change", email=address, token=token)
    return show(pages, request, "auth/confirm.html", view)


async def _confirm(pages: Pages, request: Handler, token: str) -> Response[Any]:
    identity, visit = identity_of(request), visit_of_request(request)
    confirmed = await signup.verify(identity, visit, token, old_session=session_token(request))
    if confirmed is None:
        address = await email_change.confirm(identity, visit, token)
        if address is None:
            return _gone(pages, request)
        return show(pages, request, "auth/notice.html", NoticeView(kind="email_changed", email=address))
    if confirmed.opened is None:
        session = session_of(request)
        return see_other(HOME) if session else show(pages, request, "auth/notice.html", NoticeView(kind="verified"))
    answer = see_other(HOME)
    enter(request, answer, confirmed.opened)
    return answer


async def _resend(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session = session_of(request)
    if session is None:
        return see_other("/login")
    try:
        await signup.resend(identity_of(request), visit_of_request(request), session.customer_id)
    except RateLimited as error:
        problem, status, headers = too_many(error)
        return show(
            pages, request, "auth/resend.html", ResendView(form=form.view(problem)), status=status, headers=headers
        )
    return show(pages, request, "auth/resend.html", ResendView(sent=True))


def _gone(pages: Pages, request: Handler) -> Response[Any]:
    return show(pages, request, "auth/notice.html", NoticeView(kind="link_gone"), status=410)
