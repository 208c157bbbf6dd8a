"""The page `/account/restriction`: why a customer's calls are refused, and how to appeal. Lifts nothing itself."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import Conflict, InvalidForm
from ...db.abuse import Report
from ...db.engine import now_us
from ...flows.abuse import decide, reports
from ...theming.forms import FormView
from ...theming.restriction import RestrictionRow, RestrictionView
from ...theming.support import paragraphs
from ..forms import read_form
from ..guards import known, see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import runtime_of
from ..sessions import required_session
from .portal import moment, timezone_of
from .showing import show

_HERE: Final = "/account/restriction"
_MAX_ID: Final = 40
_MOST: Final = decide.MAX_TEXT + 1


def restriction_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The page, and an appeal."""

    @get(_HERE, guards=[known], viewable=True)
    async def look(request: Handler) -> Response[Any]:
        return await _show(pages, request, done=request.query_params.get("done") == "yes")

    @post(_HERE, guards=[known])
    async def appeal(request: Handler) -> Response[Any]:
        form, session = await read_form(request), required_session(request)
        report_id, text = form.raw("report")[:_MAX_ID], form.raw("text")[:_MOST]
        slug = storefront_of(request).slug
        try:
            await decide.appeal(runtime_of(request).db, slug, session.customer_id, report_id, text)
        except (InvalidForm, Conflict) as error:
            late = InvalidForm({"text": ("restriction.changed", {})})
            problem = error if isinstance(error, InvalidForm) else late
            return await _show(pages, request, form=form.view(problem), sent=report_id, status=error.status)
        return see_other(f"{_HERE}?done=yes")

    return [look, appeal]


async def _show(
    pages: Pages,
    request: Handler,
    *,
    form: FormView | None = None,
    sent: str = "",
    done: bool = False,
    status: int = 200,
) -> Response[Any]:
    session = required_session(request)
    found = await reports.own_reports(runtime_of(request).db, session.tenant_id, session.customer_id)
    timezone = timezone_of(request, session)
    rows = tuple(_row(report, timezone) for report in found)
    view = RestrictionView(rows=rows, form=form or FormView(), sent=sent, done=done)
    return show(pages, request, "account/restriction.html", view, status=status)


def _row(report: Report, timezone: str) -> RestrictionRow:
    over = report.until is not None and report.until <= now_us()
    return RestrictionRow(
        id=report.id,
        state="lifted" if over else report.state,
        since=moment(report.restricted_at or report.created_at, timezone),
        until=None if report.until is None else moment(report.until, timezone),
        reason=paragraphs(report.reason),
        appeal=paragraphs(report.appeal),
        answer=paragraphs(report.answer),
    )
