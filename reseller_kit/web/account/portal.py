"""What the portal's pages share: moments by the customer's clocks, calls and bars as rows. Answers nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from ...core.apikey import PLAYGROUND
from ...core.days import local
from ...core.times import SECOND_US
from ...core.usage import INPUT_TOKENS
from ...db.usage import UsageRecord
from ...flows.usage_pages import Bar
from ...theming import locale
from ...theming.account import BarRow, CallRow
from ...theming.charts import Chart, Point, bars
from ..pages import Handler, storefront_of
from ..sessions import Session

PLAYGROUND_NAME = "Playground"
"""What calls of the playground show in place of a key."""


def timezone_of(request: Handler, session: Session) -> str:
    """The name of the zone whose days and hours the customer sees."""
    return session.timezone or storefront_of(request).timezone


def moment(at: int, timezone: str) -> dt.datetime:
    """A moment (µs) by the clocks there, to the second."""
    return local(at - at % SECOND_US, ZoneInfo(timezone))


def call_rows(
    records: Sequence[UsageRecord], timezone: str, names: Mapping[str, str] | None = None
) -> tuple[CallRow, ...]:
    """Calls as a list shows them; `names` is what their owner calls its keys, by id."""
    return tuple(call_row(record, timezone, names or {}) for record in records)


def call_row(record: UsageRecord, timezone: str, names: Mapping[str, str]) -> CallRow:
    """One of them."""
    return CallRow(
        id=record.id,
        at=moment(record.created_at, timezone),
        model=record.model,
        key=names.get(record.key_id) or shown_key(record.key_id, record.key_prefix),
        status=record.status,  # type: ignore[arg-type]
        http_status=record.http_status,
        input_tokens=sum(record.quantities.get(name, 0) for name in INPUT_TOKENS),
        output_tokens=record.quantities.get("output", 0),
        charge=record.retail_nano,
        latency_ms=record.latency_ms,
        stream=record.stream,
    )


def shown_key(key_id: str, prefix: str) -> str:
    """What may be shown of a key without a name."""
    if key_id == PLAYGROUND:
        return PLAYGROUND_NAME
    return f"{prefix}…" if prefix else key_id


def bar_rows(steps: Sequence[Bar]) -> tuple[BarRow, ...]:
    """The table behind a chart."""
    return tuple(bar_row(step) for step in steps)


def bar_row(step: Bar) -> BarRow:
    """One row of it, or the sum of all."""
    return BarRow(
        start=step.start,
        calls=step.calls,
        input_tokens=step.input_tokens,
        output_tokens=step.output_tokens,
        charge=step.retail_nano,
    )


def spending_chart(steps: Sequence[Bar], step: str, lang: str, link: str = "") -> Chart:
    """Bars of what was spent. `link`: where a bar leads, the days that it stands for behind it."""
    return bars([_point(each, step, lang, link) for each in steps])


def _point(step: Bar, kind: str, lang: str, link: str) -> Point:
    start = step.start
    if kind == "hour":
        hour = locale.clock(lang, start)
        return Point(hour, f"{locale.short_day(lang, start)}, {hour}", step.retail_nano)
    if kind == "month":
        last = (start.replace(day=1) + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
        url = f"{link}since={start:%Y-%m-%d}&until={last:%Y-%m-%d}"
        return Point(locale.short_month(lang, start), locale.month(lang, start), step.retail_nano, url)
    url = f"{link}since={start:%Y-%m-%d}&until={start:%Y-%m-%d}"
    return Point(locale.short_day(lang, start), locale.day(lang, start), step.retail_nano, url)
