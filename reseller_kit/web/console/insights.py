"""The page `/console/insights`, with what it exports: how a storefront does, by day. Changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from ...core.days import day_of
from ...core.errors import InvalidRequest
from ...db.engine import now_us
from ...flows.insights import Insights, insights
from ...theming import console_insights as views
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS, language_of, runtime_of
from . import insights_rows as rows
from .guards import member_may
from .pricing_rows import percent_of
from .sessions import member_of

HOME: Final = "/console/insights"
_RANGES: Final = {"7d": 7, "30d": 30, "90d": 90, "12m": 365}
_DEFAULT: Final = "30d"
_EXPORTS: Final = ("export.csv", "export.json")


class _Asked(Struct, frozen=True, kw_only=True):
    """The days that an address asks for; `range` where it names one, `problem` where it makes no sense."""

    first: dt.date
    last: dt.date
    range: str = ""
    problem: str = ""

    @property
    def query(self) -> str:
        """The same days for links."""
        return urlencode({"since": self.first.isoformat(), "until": self.last.isoformat()})


def insight_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The page and its exports."""

    @get(HOME, guards=[member_may("insights")])
    async def show(request: Handler) -> Response[Any]:
        asked = _asked(request)
        try:
            found = await _insights(request, asked)
        except InvalidRequest as error:
            asked = _named(request, _DEFAULT, f"{error.message} {error.fix}")
            found = await _insights(request, asked)
        status = 422 if asked.problem else 200
        return pages.answer(request, "console/insights.html", view=_view(request, asked, found), status=status)

    @get([f"{HOME}/{name}" for name in _EXPORTS], guards=[member_may("insights")])
    async def export(request: Handler) -> Response[Any]:
        asked = _asked(request)
        found = await _insights(request, asked)
        name = request.url.path.rpartition("/")[2]
        is_csv = name.endswith(".csv")
        body: Any = rows.as_csv(found) if is_csv else rows.document(found, storefront_of(request).timezone)
        file = f"insights-{asked.first:%Y%m%d}-{asked.last:%Y%m%d}.{name.rpartition('.')[2]}"
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "no-store",
            "x-robots-tag": "noindex",
            "content-disposition": f'attachment; filename="{file}"',
        }
        return Response(body, media_type="text/csv" if is_csv else "application/json", headers=headers)

    return [show, export]


async def _insights(request: Handler, asked: _Asked) -> Insights:
    member, zone = member_of(request), storefront_of(request).timezone
    return await insights(runtime_of(request).db, member.tenant_id, zone, asked.first, asked.last)


def _asked(request: Handler) -> _Asked:
    given = {name: request.query_params.get(name, "").strip()[:10] for name in ("range", "since", "until")}
    if not (given["since"] or given["until"]):
        return _named(request, given["range"])
    today = day_of(now_us(), member_of(request).zone)
    try:
        last = min(dt.date.fromisoformat(given["until"]), today) if given["until"] else today
        first = dt.date.fromisoformat(given["since"]) if given["since"] else last - dt.timedelta(days=29)
    except (ValueError, OverflowError):
        return _named(request, _DEFAULT, "These are no days.")
    return _Asked(first=first, last=last)


def _named(request: Handler, name: str, problem: str = "") -> _Asked:
    chosen = name if name in _RANGES else _DEFAULT
    today = day_of(now_us(), member_of(request).zone)
    first = today - dt.timedelta(days=_RANGES[chosen] - 1)
    if chosen == "12m":
        first = (today.replace(day=1) - dt.timedelta(days=330)).replace(day=1)
    return _Asked(first=first, last=today, range=chosen, problem=problem)


def _view(request: Handler, asked: _Asked, found: Insights) -> views.InsightsView:
    zone, lang = member_of(request).zone, language_of(request)
    step: rows.Step = "day" if len(found.days) <= rows.DAILY_UP_TO else "month"
    steps = rows.step_rows(found, step, zone)
    total, latency = rows.step_row(asked.first, found.days, zone), found.latency
    return views.InsightsView(
        range=asked.range,
        since=asked.first,
        until=asked.last,
        step=step,
        zone=storefront_of(request).timezone,
        query=asked.query,
        total=total,
        active=found.active,
        margin_rate=percent_of(total.margin, total.revenue),
        failure_rate=percent_of(total.failed, total.calls) or "0.0%",
        steps=steps,
        money=rows.money_chart(steps, step, lang),
        customers=rows.customer_chart(steps, step, lang),
        calls=rows.call_chart(steps, step, lang),
        models=rows.model_rows(found.models, total.revenue),
        latency=None
        if latency is None
        else views.LatencyView(
            calls=latency.calls,
            complete=latency.complete,
            median_ms=latency.median_ms,
            slow_ms=latency.slow_ms,
            first_byte_ms=latency.first_byte_ms,
        ),
        cohorts=rows.cohort_rows(found.cohorts, zone),
        problem=asked.problem,
    )
