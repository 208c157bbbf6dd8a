"""The pages `/console/support`: what customers and visitors write, and the team's answers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.days import local
from ...core.errors import InvalidForm
from ...core.paging import Window
from ...core.roles import may
from ...core.times import SECOND_US
from ...db.support import Case
from ...flows import support as flow
from ...flows.support import CaseDetail
from ...theming.console_support import CasePageView, CaseRow, CasesView, SaidRow
from ...theming.forms import FormView
from ..forms import read_form
from ..guards import see_other
from ..members import Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of, storefront_of
from .guards import member_may

_PATH: Final = "/console/support"
_PAGE: Final = 50
_STATES: Final = ("open", "answered", "closed")
_DONE: Final = frozenset({"answer", "close"})


def case_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The inbox, and a page for each case."""

    @get(_PATH, guards=[member_may("support")])
    async def look(request: Handler) -> Response[Any]:
        member, asked = member_of(request), request.query_params.get("state", "")
        state = asked if asked in _STATES else ""
        window = Window(_PAGE, request.query_params.get("cursor") or None)
        found = await flow.list_cases(runtime_of(request).db, storefront_of(request).slug, window, state or None)
        fields = {"state": state, "cursor": found.next_cursor or ""}
        older = urlencode({name: value for name, value in fields.items() if value})
        view = CasesView(
            rows=tuple(_row(case, member) for case in found.items),
            state=state,
            older_url=f"{_PATH}?{older}" if found.next_cursor else "",
            newest=window.cursor is None,
        )
        return pages.answer(request, "console/support.html", view=view)

    @get(_PATH + "/{case_id:str}", guards=[member_may("support")])
    async def one(request: Handler, case_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, case_id)

    @post(_PATH + "/{case_id:str}", guards=[member_may("support", edit=True)])
    async def act(request: Handler, case_id: FromPath[str]) -> Response[Any]:
        form, db, slug = await read_form(request), runtime_of(request).db, storefront_of(request).slug
        actor, body, closes = member_of(request).actor, form.raw("body"), form.raw("action") == "close"
        try:
            if closes and not body.strip():
                await flow.close_case(db, tenant_slug=slug, case_id=case_id, actor=actor)
            else:
                await flow.answer_case(db, tenant_slug=slug, case_id=case_id, body=body, close=closes, actor=actor)
        except InvalidForm as error:
            return await _show(pages, request, case_id, form=form.view(error), status=error.status)
        return see_other(f"{_PATH}/{case_id}?done={'close' if closes else 'answer'}")

    return [look, one, act]


async def _show(
    pages: Pages, request: Handler, case_id: str, *, form: FormView | None = None, status: int = 200
) -> Response[Any]:
    member = member_of(request)
    detail = await flow.show_case(runtime_of(request).db, storefront_of(request).slug, case_id)
    done = request.query_params.get("done", "")
    view = _view(detail, member, form or FormView(), done if done in _DONE else "")
    return pages.answer(request, "console/case.html", view=view, status=status)


def _view(detail: CaseDetail, member: Member, form: FormView, done: str) -> CasePageView:
    case = detail.case
    sees_orders = case.about.startswith("ord_") and may(member.role, "payments")
    return CasePageView(
        row=_row(case, member),
        said=tuple(
            SaidRow(
                team=message.author == "team",
                who=message.actor.partition(":")[2] if message.actor.startswith("member:") else "",
                paragraphs=tuple(part for part in message.body.splitlines() if part.strip()),
                at=_moment(message.created_at, member),
            )
            for message in detail.messages
        ),
        customer_url=f"/console/customers/{case.customer_id}" if case.customer_id else "",
        about=case.about,
        about_url=f"/console/orders/{case.about}" if sees_orders else "",
        may_edit=may(member.role, "support", edit=True),
        form=form,
        done=done,
    )


def _row(case: Case, member: Member) -> CaseRow:
    return CaseRow(
        id=case.id,
        subject=case.subject or case.id,
        who=case.email,
        state=case.state,
        changed=_moment(case.changed_at, member),
    )


def _moment(at: int, member: Member) -> dt.datetime:
    return local(at - at % SECOND_US, member.zone)
