"""Sample views of the console's pages of prices, packages and insights. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import structs

from .charts import Point, bars
from .console_insights import CohortCell, CohortRow, InsightsView, LatencyView, ModelRow, StepRow
from .console_packages import PackageView, ShelfRow, ShelfView
from .console_pricing import (
    ChangeRow,
    EarningRow,
    HistoryView,
    ModelLine,
    MoveRow,
    Preview,
    PriceCell,
    PricingView,
    RuleRow,
    ScheduledRow,
    ScheduleView,
)
from .forms import FormProblem, FormView
from .page import PackageRow
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_MARK: Final = "catalog+pricing.0123456789abcdef"
_LOST: Final = "Retail lies below wholesale: gpt-5 input 0.90 < 1.375. Raise it, or allow prices below wholesale."
_WRONG: Final = FormView(
    values={"begins": "2020-01-01T00:00", "markup": "-50%", "title": "Starter"},
    problems=tuple(
        FormProblem(field=field, key="{text}", values={"text": _LOST})
        for field in ("", "markup", "rules.0.input", "aliases.0.model", "deny", "begins", "match", "title", "min")
    ),
)
_CELL: Final = PriceCell(
    label="Input", unit="1M tokens", retail="$1.925", paid="$1.375", margin="$0.55", percent="28.6%"
)
_OUTPUT: Final = PriceCell(
    label="Output", unit="1M tokens", retail="$9.00", paid="$11.00", margin="−$2.00", percent="−22.2%", tone="bad"
)
_MODELS: Final = (
    ModelLine(
        model="gpt-5", hidden=False, aliases=("aurora-best",), main=(_CELL, _OUTPUT), others=(_CELL,), margin="28.6%"
    ),
    ModelLine(model="tiny", hidden=True, aliases=(), main=(_CELL,), others=(), margin="−22.2% – 28.6%", tone="bad"),
)
_EARNED: Final = EarningRow(
    model="gpt-5",
    calls=1_204,
    retail_now=52_400_000_000,
    retail_then=60_100_000_000,
    margin_now=15_000_000_000,
    margin_then=13_200_000_000,
)
_PREVIEW: Final = Preview(
    moves=(
        MoveRow(
            model="gpt-5", label="Input", unit="1M tokens", paid="$1.375", old="$1.925", new="$2.20", percent="37.5%"
        ),
        MoveRow(model="tiny", label="Image", unit="image", paid="", old="", new="$0.04", percent="", tone="bad"),
    ),
    count=40,
    added=("tiny",),
    removed=("old-model",),
    warnings=("The change of 2026-03-01 would be held back.",),
    earnings=(_EARNED,),
    total=_EARNED,
    left_out=3,
)
_PRICING: Final = PricingView(
    markup="40%",
    notice_days="14",
    allow_loss=False,
    rules=(RuleRow(match="gpt-5", markup="33%", input="1.90", more="cached_input=0.05"), RuleRow()),
    aliases=(("aurora-fast", "gpt-5-mini"),),
    allow="*",
    deny="*-preview",
    mark=_MARK,
    models=_MODELS,
    names=("gpt-5", "tiny"),
    may_edit=True,
    found=120,
    older_url="/console/pricing?from=50#models",
    waiting=1,
    floor="10%",
)
_SCHEDULED: Final = tuple(
    ScheduledRow(
        id=f"sch_{state}",
        at=_AT,
        told_at=_AT,
        what="Markup 45%, Input $2.00",
        models="gpt-*" if state == "waiting" else "",
        state=state,
        reason="Retail would lie below wholesale." if state == "held" else "",
        actor="ada@aurora.example",
    )
    for state in ("waiting", "begun", "held", "cancelled")
)
_CARD: Final = PackageRow(
    id="starter", kind="package", title="Starter", price_nano=10_000_000_000, credits_nano=12_000_000_000
)
_TOP_UP: Final = PackageRow(id="top-up", kind="topup", title="Top up", min_nano=5_000_000_000, max_nano=500_000_000_000)
_ROWS: Final = tuple(ShelfRow(card=card, version=3, sold=12, waiting=1) for card in (_CARD, _TOP_UP))


def _step(day: int) -> StepRow:
    return StepRow(
        start=_AT + dt.timedelta(days=day),
        calls=1_000 + day * 30,
        failed=day,
        revenue=(30 + day) * 1_000_000_000,
        wholesale=(20 + day // 2) * 1_000_000_000,
        active=20 + day,
        new=day % 4,
        orders=day % 3,
        sold=day % 3 * 10_000_000_000,
        unpaid=day % 2,
        failed_payments=day % 5,
        charged_back=0,
    )


_STEPS: Final = tuple(_step(day) for day in range(30))
_SUMMED: Final = ("calls", "failed", "revenue", "wholesale", "new", "orders", "sold", "unpaid", "failed_payments")
_TOTAL: Final = structs.replace(_STEPS[0], **{name: sum(getattr(row, name) for row in _STEPS) for name in _SUMMED})


def _point(row: StepRow, value: int, part: int = 0) -> Point:
    return Point(f"{row.start.day} {row.start:%b}", f"{row.start.day} {row.start:%B}", value, part=part)


_INSIGHTS: Final = InsightsView(
    range="30d",
    since=_AT.date(),
    until=_AT.date() + dt.timedelta(days=29),
    step="day",
    zone="UTC",
    query="since=2026-02-01&until=2026-03-02",
    total=_TOTAL,
    active=61,
    margin_rate="39.3%",
    failure_rate="1.0%",
    steps=_STEPS,
    money=bars([_point(row, row.revenue, row.margin) for row in _STEPS]),
    customers=bars([_point(row, row.active or 0) for row in _STEPS], counts=True),
    calls=bars([_point(row, row.calls, row.failed) for row in _STEPS], counts=True),
    models=(
        ModelRow(
            name="gpt-5",
            calls=900,
            failed=2,
            revenue=40_000_000_000,
            margin=9_000_000_000,
            percent=64,
            failure_rate="0.2%",
        ),
    ),
    latency=LatencyView(calls=5_000, complete=False, median_ms=1_240, slow_ms=9_800, first_byte_ms=310),
    cohorts=(
        CohortRow(month=_AT, customers=40, cells=(CohortCell(38, 95, 5), CohortCell(11, 27, 2), CohortCell(0, 0, 0))),
    ),
)

PAGES: Final = (
    page("/console/pricing", _PRICING),
    page("/console/pricing", structs.replace(_PRICING, form=_WRONG, preview=_PREVIEW, restored=_AT)),
    page(
        "/console/pricing/scheduled",
        ScheduleView(
            rows=_SCHEDULED,
            form=_WRONG,
            may_edit=True,
            zone="UTC",
            notice_days=14,
            groups=(("partners", "partners"),),
            preview=_PREVIEW,
        ),
        template="console/pricing_scheduled.html",
    ),
    page(
        "/console/pricing/history",
        HistoryView(
            changes=(ChangeRow(id=7, at=_AT, actor="ada@aurora.example", lines=("Markup: 40% → 45%",)),), may_edit=True
        ),
        template="console/pricing_history.html",
    ),
    page("/console/packages", ShelfView(offered=_ROWS, past=_ROWS[:1], mark=_MARK, may_edit=True, form=_WRONG)),
    page(
        "/console/packages/new",
        PackageView(kind="subscription", code="", is_new=True, mark=_MARK, may_edit=True, form=_WRONG),
        template="console/package.html",
    ),
    page(
        "/console/packages/edit/top-up",
        PackageView(
            kind="topup",
            code="top-up",
            is_new=False,
            mark=_MARK,
            may_edit=True,
            form=_WRONG,
            card=_TOP_UP,
            past=True,
            version=3,
            sold=12,
        ),
        template="console/package.html",
    ),
    page("/console/insights", _INSIGHTS),
)
