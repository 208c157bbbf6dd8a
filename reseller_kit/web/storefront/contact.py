"""The pages `/contact`, `/announcements` and `/unsubscribe`: how a storefront and its customers reach each other."""

from __future__ import annotations

from typing import Any, Final, Literal

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import InvalidForm, RateLimited
from ...flows import announce, support
from ...flows.identity.attempts import by_address, count
from ...flows.support import MAX_BODY, MAX_SUBJECT, NewCase
from ...theming.forms import FormView
from ...theming.support import AnnouncementsView, ContactView, UnsubscribeView
from ..account.showing import identity_of, show
from ..forms import Form, read_form
from ..notices import rows_of
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..sessions import session_of, visit_of_request
from ..throttled import too_many

_MAX_EMAIL: Final = 254
_MAX_NAME: Final = 100
_MAX_ID: Final = 100


def contact_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """What anybody may do beside reading."""

    @get("/contact")
    async def ask(request: Handler) -> Response[Any]:
        return _show(pages, request, FormView())

    @post("/contact")
    async def send(request: Handler) -> Response[Any]:
        return await _send(pages, request, await read_form(request))

    @get("/announcements")
    async def announcements(request: Handler) -> Response[Any]:
        return pages.answer(request, "storefront/announcements.html", view=AnnouncementsView(rows=rows_of(request)))

    @get("/unsubscribe")
    async def ask_unsubscribe(request: Handler) -> Response[Any]:
        # Scanners of mail follow links: only the button, or the mail reader's own one, ends the mails.
        asked = request.query_params
        view = UnsubscribeView(
            state="ask",
            customer=asked.get("customer", "")[:_MAX_ID],
            token=asked.get("token", "")[:_MAX_ID],
            kind=_kind(request),
        )
        return pages.answer(request, "storefront/unsubscribe.html", view=view, noindex=True)

    @post("/unsubscribe")
    async def unsubscribe(request: Handler) -> Response[Any]:
        # By mail readers too (RFC 8058), so its token is all that it needs: no session, no form of ours.
        asked = request.query_params
        done = await announce.unsubscribe(
            runtime_of(request).db,
            runtime_of(request).vault,
            storefront_of(request).tenant_id,
            asked.get("customer", "")[:_MAX_ID],
            asked.get("token", "")[:_MAX_ID],
            _kind(request),
        )
        view = UnsubscribeView(state="done" if done else "unknown", kind=_kind(request))
        status = 200 if done else 404
        return pages.answer(request, "storefront/unsubscribe.html", view=view, status=status, noindex=True)

    return [ask, send, announcements, ask_unsubscribe, unsubscribe]


def _kind(request: Handler) -> Literal["announcement", "credit"]:
    """Which mails a link ends: announcements, unless it says otherwise."""
    return "credit" if request.query_params.get("kind") == "credit" else "announcement"


async def _send(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    runtime, storefront, session = runtime_of(request), storefront_of(request), session_of(request)
    try:
        new = NewCase(
            subject=form.line("subject", MAX_SUBJECT),
            body=form.raw("body")[: MAX_BODY + 1],
            about=form.line("about", _MAX_ID, needed=False),
        )
        if session is not None:
            case = await support.open_case(runtime.db, storefront, session.customer_id, new)
            sent_to = session.email
        else:
            email = form.line("email", _MAX_EMAIL)
            name = form.line("name", _MAX_NAME, needed=False)
            identity = identity_of(request)
            await count(identity, storefront.tenant_id, by_address(identity, visit_of_request(request), "contact"))
            case = await support.open_public_case(runtime.db, storefront, email, name, new)
            sent_to = case.email
    except RateLimited as error:
        problem, status, headers = too_many(error)
        return _show(pages, request, form.view(problem), status=status, headers=headers)
    except InvalidForm as error:
        return _show(pages, request, form.view(error), status=error.status)
    view = ContactView(sent=True, known=session is not None, email=sent_to, about=case.id)
    return show(pages, request, "storefront/contact.html", view)


def _show(
    pages: Pages, request: Handler, form: FormView, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[Any]:
    view = ContactView(
        form=form, known=session_of(request) is not None, about=request.query_params.get("about", "")[:_MAX_ID]
    )
    return show(pages, request, "storefront/contact.html", view, status=status, headers=headers)
