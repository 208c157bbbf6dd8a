"""The operator's pages `/abuse`: file what an upstream reports, see what became of it, force a restriction."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.abuse import STATES, operator_moves
from ...core.errors import Conflict, InvalidForm, InvalidRequest, KitError, NotFound
from ...core.paging import Window
from ...flows.abuse import decide, reports
from ...flows.abuse.decide import MAX_TEXT, Decision
from ...flows.abuse.reports import MAX_BODY, MAX_REFERENCE, NewReport
from ...theming.console_abuse import ReportsView
from ...theming.forms import FormView
from ..console.abuse import form_problem, older_url, restriction_end
from ..console.abuse_rows import report_line, report_view
from ..console.guards import operator
from ..forms import Form, read_form
from ..guards import see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of

_PATH: Final = "/abuse"
_PAGE: Final = 50
_MAX_NAME: Final = 100
_MOVES: Final = frozenset({"force", "withdraw"})
_DONE: Final = _MOVES | {"filed"}


def abuse_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The list with the form of a new report, and a page for each."""

    @get(_PATH, guards=[operator])
    async def look(request: Handler) -> Response[Any]:
        return await _list(pages, request)

    @post(_PATH, guards=[operator])
    async def file(request: Handler) -> Response[Any]:
        form, runtime = await read_form(request), runtime_of(request)
        try:
            new = _new(form)
            filed = await reports.file_report(runtime.db, runtime.vault, new, member_of(request).actor)
        except (InvalidRequest, Conflict, NotFound) as error:
            problem = _at_field(error)
            return await _list(pages, request, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}/{filed.listed.report.id}?done=filed")

    @get(_PATH + "/{report_id:str}", guards=[operator])
    async def one(request: Handler, report_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, report_id)

    @post(_PATH + "/{report_id:str}", guards=[operator])
    async def act(request: Handler, report_id: FromPath[str]) -> Response[Any]:
        form, member = await read_form(request), member_of(request)
        name, words = form.raw("action"), form.raw("words")[: MAX_TEXT + 1]
        if name not in _MOVES:
            return see_other(f"{_PATH}/{report_id[:80]}")
        try:
            until = restriction_end(form, member) if name == "force" else None
            decision = Decision(move=name, words=words, until=until)  # type: ignore[arg-type]  # one of _MOVES
            await decide.overrule(runtime_of(request).db, report_id, decision, member.actor)
        except (InvalidRequest, Conflict) as error:
            problem = form_problem(error)
            return await _show(pages, request, report_id, action=name, form=form.view(problem), status=problem.status)
        return see_other(f"{_PATH}/{report_id}?done={name}")

    return [look, file, one, act]


def _new(form: Form) -> NewReport:
    """What the form says; one field takes either name of whom it is about."""
    whom = form.line("whom", _MAX_NAME)
    call = whom.startswith("req_")
    return NewReport(
        upstream=form.line("upstream", _MAX_NAME),
        body=form.raw("reason")[: MAX_BODY + 1],
        category=form.raw("category")[:40],
        reference=form.line("reference", MAX_REFERENCE, needed=False),
        request_id=whom if call else "",
        end_user="" if call else whom,
    )


def _at_field(error: KitError) -> InvalidForm:
    if isinstance(error, InvalidForm):
        return error
    param = error.param if isinstance(error, InvalidRequest) else None
    known = {"id": "whom", "end_user": "whom", "category": "category", "reference": "reference", "reason": "reason"}
    field = known.get(param or "", "reference" if isinstance(error, Conflict) else "whom")
    if isinstance(error, NotFound) and "upstream" in error.message:
        field = "upstream"
    return InvalidForm({field: ("{text}", {"text": error.message})})


async def _list(pages: Pages, request: Handler, *, form: FormView | None = None, status: int = 200) -> Response[Any]:
    member, asked, db = member_of(request), request.query_params.get("state", ""), runtime_of(request).db
    state = asked if asked in STATES else ""
    window = Window(_PAGE, request.query_params.get("cursor") or None)
    found = await reports.list_filed(db, window, state=state or None)
    view = ReportsView(
        base="",
        rows=tuple(report_line(one.listed, member.zone, "", one.tenant) for one in found.items),
        state=state,
        older_url=older_url(_PATH, state, found.next_cursor),
        newest=window.cursor is None,
        upstreams=tuple(await reports.upstream_names(db)),
        form=form or FormView(),
    )
    return pages.answer(request, "platform/abuse.html", view=view, status=status)


async def _show(
    pages: Pages,
    request: Handler,
    report_id: str,
    *,
    action: str = "",
    form: FormView | None = None,
    status: int = 200,
) -> Response[Any]:
    filed = await reports.show_filed(runtime_of(request).db, report_id)
    done = request.query_params.get("done", "")
    view = report_view(
        filed.listed,
        member_of(request).zone,
        base="",
        moves=operator_moves(filed.listed.report.state),
        tenant=filed.tenant,
        reporter=(filed.upstream, filed.reference, filed.end_user),
        action=action,
        form=form,
        done=done if done in _DONE else "",
    )
    return pages.answer(request, "console/abuse_report.html", view=view, status=status)
