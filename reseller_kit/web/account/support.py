"""The pages `/account/support`: a customer's cases, each with its messages."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import InvalidForm
from ...core.paging import window
from ...db.support import Case
from ...flows import support
from ...flows.support import MAX_BODY, CaseDetail
from ...theming.forms import FormView
from ...theming.support import CaseRow, CaseView, MessageRow, SupportView, paragraphs
from ..forms import read_form
from ..guards import see_other, signed_in
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..sessions import required_session
from .portal import moment, timezone_of
from .showing import show

_AT_ONCE = 25


def support_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """A customer's side of the support inbox."""

    @get("/account/support", guards=[signed_in], viewable=True)
    async def cases(request: Handler) -> Response[Any]:
        session = required_session(request)
        asked = window(_AT_ONCE, request.query_params.get("cursor"))
        page = await support.own_cases(runtime_of(request).db, session.tenant_id, session.customer_id, asked)
        older = f"/account/support?cursor={page.next_cursor}" if page.next_cursor else ""
        view = SupportView(rows=tuple(_row(case, timezone_of(request, session)) for case in page.items), older=older)
        return show(pages, request, "account/support.html", view)

    @get("/account/support/{case_id:str}", guards=[signed_in], viewable=True)
    async def case(request: Handler, case_id: FromPath[str]) -> Response[Any]:
        return _show(pages, request, await _own(request, case_id), FormView())

    @post("/account/support/{case_id:str}", guards=[signed_in])
    async def reply(request: Handler, case_id: FromPath[str]) -> Response[Any]:
        session, db, storefront = required_session(request), runtime_of(request).db, storefront_of(request)
        form = await read_form(request)
        try:
            if form.raw("action") == "close":
                await support.close_as_customer(db, storefront, session.customer_id, case_id)
            else:
                body = form.raw("body")[: MAX_BODY + 1]
                await support.reply_as_customer(db, storefront, session.customer_id, case_id, body)
        except InvalidForm as error:
            return _show(pages, request, await _own(request, case_id), form.view(error), status=error.status)
        return see_other(f"/account/support/{case_id}")

    return [cases, case, reply]


async def _own(request: Handler, case_id: str) -> CaseDetail:
    session = required_session(request)
    return await support.own_case(runtime_of(request).db, session.tenant_id, session.customer_id, case_id)


def _show(pages: Pages, request: Handler, detail: CaseDetail, form: FormView, *, status: int = 200) -> Response[Any]:
    case, timezone = detail.case, timezone_of(request, required_session(request))
    view = CaseView(
        case=_row(case, timezone),
        about=case.about,
        about_url=_url_of(case.about),
        messages=tuple(
            MessageRow(author=said.author, at=moment(said.created_at, timezone), paragraphs=paragraphs(said.body))
            for said in detail.messages
        ),
        form=form,
    )
    return show(pages, request, "account/case.html", view, status=status)


def _row(case: Case, timezone: str) -> CaseRow:
    return CaseRow(
        id=case.id,
        subject=case.subject,
        state=case.state,
        opened=moment(case.created_at, timezone),
        changed=moment(case.changed_at, timezone),
    )


def _url_of(about: str) -> str:
    """The page of an order or call."""
    kind = about.partition("_")[0]
    return {"ord": f"/account/billing/orders/{about}", "req": f"/account/usage/{about}"}.get(kind, "")
