"""Reports of abuse as the consoles' pages show them. Asks nobody."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from ...core.abuse import Move
from ...core.days import local
from ...core.times import SECOND_US
from ...db.abuse import Listed
from ...theming.console_abuse import CATEGORIES, ReportLine, ReportView
from ...theming.forms import FormView

_PROPOSED: Final = (
    "We received a report about calls from your account{what}. Our terms do not allow this, so your API access is"
    " restricted until it is clear."
)


def report_line(listed: Listed, zone: ZoneInfo, base: str, tenant: str = "") -> ReportLine:
    """A report in a list, by the clocks of a zone."""
    report = listed.report
    return ReportLine(
        id=report.id,
        url=f"{base}/abuse/{report.id}",
        customer=listed.email,
        category=report.category,
        state=report.state,
        at=_moment(report.created_at, zone),
        tenant=tenant,
    )


def report_view(
    listed: Listed,
    zone: ZoneInfo,
    *,
    base: str,
    moves: tuple[Move, ...],
    tenant: str = "",
    reporter: tuple[str, str, str] | None = None,
    action: str = "",
    form: FormView | None = None,
    done: str = "",
) -> ReportView:
    """The page of one report."""
    report = listed.report
    return ReportView(
        base=base,
        line=report_line(listed, zone, base, tenant),
        customer_url=f"/tenants/{tenant}" if tenant else f"/console/customers/{report.customer_id}",
        paragraphs=_paragraphs(report.body),
        request_id=report.request_id,
        happened=_perhaps(report.happened_at, zone),
        forced=report.forced,
        reason=_paragraphs(report.reason),
        restricted=_perhaps(report.restricted_at, zone),
        until=_perhaps(report.until, zone),
        appeal=_paragraphs(report.appeal),
        appealed=_perhaps(report.appealed_at, zone),
        answer=_paragraphs(report.answer),
        answered=_perhaps(report.answered_at, zone),
        moves=moves,
        words=_PROPOSED.format(what="" if report.category == "other" else f": {CATEGORIES[report.category].lower()}"),
        reporter=reporter,
        action=action,
        form=form or FormView(),
        done=done,
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.splitlines() if part.strip())


def _perhaps(at: int | None, zone: ZoneInfo) -> dt.datetime | None:
    return None if at is None else _moment(at, zone)


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return local(at - at % SECOND_US, zone)
