"""What the console's page of insights shows, as values that `web.console` fills. Never the operator's cost.

Amounts are nano-USD; days are those of the storefront's zone.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from msgspec import Struct

from .charts import Chart


class StepRow(Struct, frozen=True, kw_only=True):
    """One day or month of the charts, as a row of the table behind them."""

    start: dt.datetime
    calls: int
    failed: int
    revenue: int
    wholesale: int
    active: int | None
    new: int
    orders: int
    sold: int
    unpaid: int
    failed_payments: int
    charged_back: int

    @property
    def margin(self) -> int:
        """What is left of the revenue."""
        return self.revenue - self.wholesale


class ModelRow(Struct, frozen=True, kw_only=True):
    """A model's part. `percent` of the revenue."""

    name: str
    calls: int
    failed: int
    revenue: int
    margin: int
    percent: int
    failure_rate: str


class CohortCell(Struct, frozen=True):
    """How many of a month's customers were active in a later one; `shade` 0 to 5."""

    customers: int
    percent: int
    shade: int


class CohortRow(Struct, frozen=True, kw_only=True):
    """The customers of one month of sign-up."""

    month: dt.datetime
    customers: int
    cells: tuple[CohortCell, ...]


class LatencyView(Struct, frozen=True, kw_only=True):
    """How long calls took, in ms; `complete`: all of the days, else the latest."""

    calls: int
    complete: bool
    median_ms: int
    slow_ms: int
    first_byte_ms: int


class InsightsView(Struct, frozen=True, kw_only=True):
    """Everything of a span of days. `margin_rate` and `failure_rate` are texts."""

    range: str
    since: dt.date
    until: dt.date
    step: Literal["day", "month"]
    zone: str
    query: str
    total: StepRow
    active: int
    margin_rate: str
    failure_rate: str
    steps: tuple[StepRow, ...]
    money: Chart
    customers: Chart
    calls: Chart
    models: tuple[ModelRow, ...]
    latency: LatencyView | None
    cohorts: tuple[CohortRow, ...]
    problem: str = ""

    @property
    def months(self) -> int:
        """How many months the longest row of the cohorts has."""
        return max((len(row.cells) for row in self.cohorts), default=0)
