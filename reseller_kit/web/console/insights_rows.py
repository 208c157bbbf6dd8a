"""Insights as their page and their exports show them. Asks nobody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from ...core.csv_text import csv_rows
from ...core.money import format_amount, whole_percent
from ...flows.insights import Cohort, Day, Insights, ModelShare
from ...theming import console_insights as views
from ...theming import locale
from ...theming.charts import Chart, Point, bars
from .pricing_rows import percent_of

Step = Literal["day", "month"]
DAILY_UP_TO: Final = 100
_MODELS: Final = 12
_SHADES: Final = 5
_COLUMNS: Final[tuple[tuple[str, Callable[[Day], Any]], ...]] = (
    ("day", lambda day: day.day.isoformat()),
    ("calls", lambda day: day.calls),
    ("failed_calls", lambda day: day.failed_calls),
    ("revenue", lambda day: format_amount(day.retail)),
    ("wholesale", lambda day: format_amount(day.wholesale)),
    ("margin", lambda day: format_amount(day.margin)),
    ("active_customers", lambda day: day.active),
    ("new_customers", lambda day: day.new),
    ("orders", lambda day: day.orders),
    ("sales", lambda day: format_amount(day.sold)),
    ("unpaid_orders", lambda day: day.unpaid),
    ("failed_payments", lambda day: day.failed_payments),
    ("chargebacks", lambda day: day.charged_back),
)


def step_rows(found: Insights, step: Step, zone: ZoneInfo) -> tuple[views.StepRow, ...]:
    """The days, or their months; how many customers were active can't be summed."""
    groups: dict[dt.date, list[Day]] = {}
    for day in found.days:
        groups.setdefault(day.day.replace(day=1) if step == "month" else day.day, []).append(day)
    return tuple(step_row(start, days, zone) for start, days in groups.items())


def step_row(start: dt.date, days: Sequence[Day], zone: ZoneInfo) -> views.StepRow:
    """Some days together."""
    return views.StepRow(
        start=dt.datetime.combine(start, dt.time(), zone),
        calls=sum(day.calls for day in days),
        failed=sum(day.failed_calls for day in days),
        revenue=sum(day.retail for day in days),
        wholesale=sum(day.wholesale for day in days),
        active=days[0].active if len(days) == 1 else None,
        new=sum(day.new for day in days),
        orders=sum(day.orders for day in days),
        sold=sum(day.sold for day in days),
        unpaid=sum(day.unpaid for day in days),
        failed_payments=sum(day.failed_payments for day in days),
        charged_back=sum(day.charged_back for day in days),
    )


def money_chart(steps: Sequence[views.StepRow], step: Step, lang: str) -> Chart:
    """Revenue, and what of it is margin."""
    return bars([_point(row, step, lang, row.revenue, max(0, row.margin)) for row in steps])


def customer_chart(steps: Sequence[views.StepRow], step: Step, lang: str) -> Chart:
    """Active customers by day; new ones by month, where days would be too many."""
    values = [(row, row.new if step == "month" else row.active or 0) for row in steps]
    return bars([_point(row, step, lang, value, 0) for row, value in values], counts=True)


def call_chart(steps: Sequence[views.StepRow], step: Step, lang: str) -> Chart:
    """Calls, and what of them failed."""
    return bars([_point(row, step, lang, row.calls, row.failed) for row in steps], counts=True)


def _point(row: views.StepRow, step: Step, lang: str, value: int, part: int) -> Point:
    if step == "month":
        return Point(locale.short_month(lang, row.start), locale.month(lang, row.start), value, part=part)
    return Point(locale.short_day(lang, row.start), locale.day(lang, row.start), value, part=part)


def model_rows(models: Sequence[ModelShare], revenue: int) -> tuple[views.ModelRow, ...]:
    """Those that earned most."""
    return tuple(
        views.ModelRow(
            name=one.model,
            calls=one.calls,
            failed=one.failed_calls,
            revenue=one.retail,
            margin=one.margin,
            percent=whole_percent(one.retail, revenue),
            failure_rate=percent_of(one.failed_calls, one.calls) or "0.0%",
        )
        for one in models[:_MODELS]
    )


def cohort_rows(cohorts: Sequence[Cohort], zone: ZoneInfo) -> tuple[views.CohortRow, ...]:
    """Months of sign-up, the latest first."""
    return tuple(
        views.CohortRow(
            month=dt.datetime.combine(one.month, dt.time(), zone),
            customers=one.customers,
            cells=tuple(_cell(count, one.customers) for count in one.active),
        )
        for one in reversed(cohorts)
    )


def _cell(count: int, customers: int) -> views.CohortCell:
    percent = whole_percent(count, customers)
    return views.CohortCell(count, percent, -(-percent * _SHADES // 100))


def as_csv(found: Insights) -> bytes:
    """One line a day with a head line; amounts in USD."""
    return csv_rows([[name for name, _ in _COLUMNS], *([read(day) for _, read in _COLUMNS] for day in found.days)])


def document(found: Insights, timezone: str) -> dict[str, Any]:
    """Everything as one document; amounts are decimal strings in USD."""
    return {
        "timezone": timezone,
        "days": [{name: read(day) for name, read in _COLUMNS} for day in found.days],
        "active_customers": found.active,
        "models": [
            {
                "model": one.model,
                "calls": one.calls,
                "failed_calls": one.failed_calls,
                "revenue": format_amount(one.retail),
                "wholesale": format_amount(one.wholesale),
                "margin": format_amount(one.margin),
            }
            for one in found.models
        ],
        "latency": None if found.latency is None else msgspec.to_builtins(found.latency),
        "cohorts": [
            {"month": f"{one.month:%Y-%m}", "customers": one.customers, "active": list(one.active)}
            for one in found.cohorts
        ],
    }
