"""The pages `/console/abuse`: what was reported of the storefront's customers, and the team's decisions on it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.abuse import STATES, team_moves
from ...core.errors import Conflict, InvalidForm, InvalidRequest
from ...core.paging import Window
from ...core.roles import may
from ...flows.abuse import decide, reports
from ...flows.abuse.decide import MAX_TEXT, Decision
from ...theming.console_abuse import ReportsView
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..members import CONSOLE, Member, member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of, storefront_of
from .abuse_rows import report_line, report_view
from .dates import day_of_field
from .guards import member_may

_PATH: Final = "/console/abuse"
_PAGE: Final = 50
_MOVES: Final = frozenset({"restrict", "dismiss", "uphold", "lift"})


def abuse_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list, and a page for each report."""

    @get(_PATH, guards=[member_may("customers")])
    async def look(request: Handler) -> Response[Any]:
        member, asked = member_of(request), request.query_params.get("state", "")
        state = asked if asked in STATES else ""
        window = Window(_PAGE, request.query_params.get("cursor") or None)
        found = await reports.list_reports(runtime_of(request).db, member.tenant_id, window, state or None)
        view = ReportsView(
            base=CONSOLE,
            rows=tuple(report_line(one, member.zone, CONSOLE) for one in found.items),
            state=state,
            older_url=older_url(_PATH, state, found.next_cursor),
            newest=window.cursor is None,
        )
        return pages.answer(request, "console/abuse.html", view=view)

    @get(_PATH + "/{report_id:str}", guards=[member_may("customers")])
    async def one(request: Handler, report_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, report_id)

    @post(_PATH + "/{report_id:str}", guards=[member_may("customers", edit=True)])
    async def act(request: Handler, report_id: FromPath[str]) -> Response[Any]:
        form, member = await read_form(request), member_of(request)
        name = form.raw("action")
        if name not in _MOVES:
            return see_other(f"{_PATH}/{report_id[:80]}")
        db, slug = runtime_of(request).db, storefront_of(request).slug
        try:
            await decide.decide(db, slug, report_id, _decision(form, member), member.actor)
        except (InvalidRequest, Conflict) as error:
            problem = form_problem(error)
            return await _show(pages, request, report_id, action=name, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}/{report_id}?done={name}")

    return [look, one, act]


def older_url(path: str, state: str, cursor: str | None) -> str:
    """Where the next page of a list is."""
    fields = {"state": state, "cursor": cursor or ""}
    return f"{path}?{urlencode({name: value for name, value in fields.items() if value})}" if cursor else ""


def form_problem(error: InvalidRequest | Conflict) -> InvalidForm:
    """What is wrong, at its field where it has one."""
    if isinstance(error, InvalidForm):
        return error
    field = (error.param or "") if isinstance(error, InvalidRequest) else ""
    return InvalidForm({field: ("{text}", {"text": error.message})})


def restriction_end(form: Form, member: Member) -> int | None:
    """The end of the day that was typed, None for none. Raises InvalidForm."""
    typed = form.line("until", 10, needed=False)
    until = day_of_field(typed, member.zone, after=True)
    if typed and until is None:
        raise InvalidForm({"until": ("{text}", {"text": "Write days like 2026-01-31."})})
    return until


def _decision(form: Form, member: Member) -> Decision:
    words, name = form.raw("words")[: MAX_TEXT + 1], form.raw("action")
    until = restriction_end(form, member) if name == "restrict" else None
    return Decision(move=name, words=words, until=until)  # type: ignore[arg-type]  # one of _MOVES


async def _show(
    pages: Pages,
    request: Handler,
    report_id: str,
    *,
    action: str = "",
    form: FormView | None = None,
    status: int = 200,
) -> Response[Any]:
    member = member_of(request)
    found = await reports.show_report(runtime_of(request).db, member.tenant_id, report_id)
    edits = may(member.role, "customers", edit=True)
    done = request.query_params.get("done", "")
    view = report_view(
        found,
        member.zone,
        base=CONSOLE,
        moves=team_moves(found.report.state, forced=found.report.forced) if edits else (),
        action=action,
        form=form,
        done=done if done in _MOVES else "",
    )
    return pages.answer(request, "console/abuse_report.html", view=view, status=status)
