"""Use cases of a customer on its own usage: charts, search and single records, at retail alone. Changes nothing.

However long a customer's past is, a page asks the same few statements: charts are summed by the database from the
rollups, and a search reads only the stretches of time in which there is something to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from ..core.days import QUARTER_US, day_of, local, offsets, start_of
from ..core.errors import InvalidRequest, NotFound
from ..core.ids import is_public_id, made_at
from ..core.times import DAY_US, HOUR_US, SECOND_US
from ..db import keys, operator_audit, rollups, spend_alerts, usage, usage_totals
from ..db.engine import Database, now_us
from ..db.rollups import SumFilter
from ..db.spend_alerts import SpendAlert
from ..db.tenants import Connection
from ..db.usage import UsageFilter, UsageRecord
from ..db.usage_totals import Narrowed, Total
from .recompute import Level, pinned_prices, recompute

PAGE: Final = 25
MAX_DAYS: Final = 400
_MAX_STEPS: Final = 20
_DAILY_UP_TO: Final = 100
_HOURLY_UP_TO: Final = 2
RANGES: Final = {"24h": 1, "7d": 7, "30d": 30, "90d": 90, "12m": 365}
"""What is offered by name, in days. The first are the last 24 hours, the last whole months; the others whole days."""
Step = Literal["hour", "day", "month"]


class Span(Struct, frozen=True, kw_only=True):
    """A stretch of time to look at: [since, until) in µs, cut into steps of the zone's clocks."""

    since: int
    until: int
    step: Step
    zone: str


class Bar(Struct, frozen=True):
    """What the calls of one step came to; `start` by the zone's clocks."""

    start: datetime
    calls: int
    input_tokens: int
    output_tokens: int
    retail_nano: int


class Charts(Struct, frozen=True, kw_only=True):
    """A span in bars without gaps, and its sums by model as asked for and by key id, the dearest first."""

    bars: tuple[Bar, ...]
    models: tuple[Total, ...]
    keys: tuple[Total, ...]
    total: Bar


class KeyName(Struct, frozen=True):
    """What a customer knows a key by."""

    id: str
    prefix: str
    name: str


class UsagePage(Struct, frozen=True, kw_only=True):
    """Charts and the first records of a span, and at which sums the customer wants a mail."""

    charts: Charts
    records: tuple[UsageRecord, ...]
    more: bool
    keys: tuple[KeyName, ...]
    alerts: tuple[SpendAlert, ...]


class Explained(Struct, frozen=True):
    """A record and how its charge came about: quantity × price, line by line, at the prices it was made under."""

    record: UsageRecord
    retail: Level
    key: KeyName | None


def named_span(name: str, timezone: str, now: int) -> Span:
    """One of `RANGES`, up to the end of the step that `now` lies in. Raises InvalidRequest."""
    if name not in RANGES:
        raise InvalidRequest("There is no such range.", param="range", fix=f"Choose one of {', '.join(RANGES)}.")
    zone = ZoneInfo(timezone)
    today = day_of(now, zone)
    end = start_of(today + timedelta(days=1), zone)
    if name == "24h":
        hour = now - now % HOUR_US
        return Span(since=hour - 23 * HOUR_US, until=hour + HOUR_US, step="hour", zone=timezone)
    if name == "12m":
        first = (today.replace(day=1) - timedelta(days=330)).replace(day=1)
        return Span(since=start_of(first, zone), until=end, step="month", zone=timezone)
    since = start_of(today - timedelta(days=RANGES[name] - 1), zone)
    return Span(since=since, until=end, step="day", zone=timezone)


def days_span(first: date, last: date, timezone: str) -> Span:
    """Whole days, both named ones too: by hours if they are few, by months if they are many. Raises InvalidRequest."""
    days = (last - first).days + 1
    if not 1 <= days <= MAX_DAYS:
        fix = f"Give a first and a last day at most {MAX_DAYS} days apart."
        raise InvalidRequest("These days are no span of time.", param="since", fix=fix)
    zone = ZoneInfo(timezone)
    step: Step = "hour" if days <= _HOURLY_UP_TO else "day" if days <= _DAILY_UP_TO else "month"
    until = start_of(last + timedelta(days=1), zone)
    return Span(since=start_of(first, zone), until=until, step=step, zone=timezone)


async def usage_page(db: Database, tenant_id: int, wanted: UsageFilter, span: Span) -> UsagePage:
    """What the usage page of `wanted.customer_id` shows: its charts narrowed by model and key, its latest records."""
    async with db.read(tenant_id) as connection:
        shown = await _charts(connection, tenant_id, wanted, span)
        records = await _search(connection, tenant_id, within(wanted, span), PAGE + 1)
        names = await keys.names(connection, tenant_id, _owner(wanted))
        alerts = await spend_alerts.of_customer(connection, tenant_id, _owner(wanted))
    return UsagePage(
        charts=shown,
        records=tuple(records[:PAGE]),
        more=len(records) > PAGE,
        keys=tuple(KeyName(*name) for name in names),
        alerts=tuple(alerts),
    )


async def charts(connection: Connection, tenant_id: int, customer_id: str, span: Span) -> Charts:
    """A customer's whole usage of a span."""
    return await _charts(connection, tenant_id, UsageFilter(customer_id), span)


async def bars(connection: Connection, tenant_id: int, customer_id: str, span: Span) -> tuple[Bar, ...]:
    """A customer's whole usage of a span, over time alone."""
    mark = await rollups.rolled_until(connection)
    narrowed = _narrowed(UsageFilter(customer_id), span)
    return _bars(span, await _over_time(connection, tenant_id, narrowed, span, mark))


async def search(db: Database, tenant_id: int, wanted: UsageFilter, limit: int) -> list[UsageRecord]:
    """A customer's records, newest first, at most `limit`; those before `wanted.before_id` if it is given."""
    async with db.read(tenant_id) as connection:
        return await _search(connection, tenant_id, wanted, limit)


def within(wanted: UsageFilter, span: Span) -> UsageFilter:
    """The same records, of this span alone."""
    return structs.replace(wanted, since=span.since, until=span.until)


async def explained(db: Database, tenant_id: int, customer_id: str, record_id: str) -> Explained:
    """One of the customer's records with its charge. Raises NotFound, in the same words for another one's."""
    async with db.read(tenant_id) as connection:
        record = facts = None
        if is_public_id(record_id, "req"):
            record = await usage.find(connection, tenant_id, record_id, customer_id)
            facts = None if record is None else await operator_audit.usage_record(connection, record_id, tenant_id)
        if record is None or facts is None:
            raise NotFound("There is no usage record of that id.")
        stored = await operator_audit.price_versions(connection, {facts.retail_version})
        names = await keys.find(connection, tenant_id, record.key_id)
    levels = recompute(facts, {version_id: pinned_prices(version) for version_id, version in stored.items()})
    retail = next(level for level in levels if level.level == "retail")
    key = None if names is None else KeyName(names.key.id, names.key.prefix, names.key.name)
    return Explained(record, retail, key)


async def latest(db: Database, tenant_id: int, customer_id: str, since: int, limit: int) -> list[UsageRecord]:
    """What was written of the customer's calls from that moment (µs) on, the latest call last."""
    async with db.read(tenant_id) as connection:
        return await usage.settled_since(connection, tenant_id, customer_id, since, limit)


async def key_names(db: Database, tenant_id: int, customer_id: str) -> list[KeyName]:
    """What a customer knows its keys by, those that are gone too."""
    async with db.read(tenant_id) as connection:
        return [KeyName(*name) for name in await keys.names(connection, tenant_id, customer_id)]


async def _search(connection: Connection, tenant_id: int, wanted: UsageFilter, limit: int) -> list[UsageRecord]:
    rare_by_itself = wanted.status not in {None, "ok"}
    if rare_by_itself or (wanted.model is None and wanted.key_id is None):
        return await usage.page(connection, tenant_id, wanted, limit)
    # The rollups know when there were such calls, so that rare ones are found without a walk past all others.
    sums = SumFilter(_owner(wanted), wanted.since or 0, None, wanted.model, wanted.key_id)
    records: list[UsageRecord] = []
    before = _search_before(wanted)
    for _ in range(_MAX_STEPS):
        missing = limit - len(records)
        found = await rollups.quarters(connection, tenant_id, sums, before, missing + 1)
        starts = _enough(found, missing)
        records += await usage.page_of_quarters(connection, tenant_id, wanted, starts, missing)
        if len(records) >= limit or not starts or (len(starts) == len(found) <= missing):
            break
        before = starts[-1]
    return records


def _search_before(wanted: UsageFilter) -> int:
    """The end of the quarter of an hour to look in first."""
    ends = [now_us() + DAY_US if wanted.until is None else wanted.until]
    if wanted.before_id is not None:
        latest_start = made_at(wanted.before_id) + SECOND_US
        ends.append(latest_start - latest_start % QUARTER_US + QUARTER_US)
    return min(ends)


def _enough(found: Sequence[tuple[int, int]], wanted: int) -> list[int]:
    """The latest quarters that together have so many calls; of the first one some may lie behind the cursor."""
    starts: list[int] = []
    calls = 0
    for index, (start, count) in enumerate(found):
        if calls >= wanted:
            break
        starts.append(start)
        calls += count if index else 0
    return starts


async def _charts(connection: Connection, tenant_id: int, wanted: UsageFilter, span: Span) -> Charts:
    narrowed = _narrowed(wanted, span)
    mark = await rollups.rolled_until(connection)
    found = await _over_time(connection, tenant_id, narrowed, span, mark)
    return Charts(
        bars=_bars(span, found),
        models=tuple(await usage_totals.by_name(connection, tenant_id, narrowed, mark, "model")),
        keys=tuple(await usage_totals.by_name(connection, tenant_id, narrowed, mark, "key_id")),
        total=_sum(local(span.since, ZoneInfo(span.zone)), found),
    )


def _narrowed(wanted: UsageFilter, span: Span) -> Narrowed:
    return Narrowed(
        customer_id=_owner(wanted), since=span.since, until=span.until, model=wanted.model, key_id=wanted.key_id
    )


async def _over_time(connection: Connection, tenant_id: int, narrowed: Narrowed, span: Span, mark: int) -> list[Total]:
    shifts = offsets(ZoneInfo(span.zone), span.since, span.until)
    return await usage_totals.over_time(connection, tenant_id, narrowed, mark, shifts, _width(span))


def _width(span: Span) -> int:
    return HOUR_US if span.step == "hour" else DAY_US


def _bars(span: Span, found: Sequence[Total]) -> tuple[Bar, ...]:
    by_number = {each.number: each for each in found}
    shown: dict[datetime, list[Total]] = {}
    for number, start in _starts(span, ZoneInfo(span.zone), _width(span)):
        found_there = by_number.get(number)
        shown.setdefault(start, []).extend([] if found_there is None else [found_there])
    return tuple(_sum(start, each) for start, each in shown.items())


def _starts(span: Span, zone: ZoneInfo, width: int) -> list[tuple[int, datetime]]:
    """Each step's number by the zone's clocks, and the start of the bar it belongs to."""
    first, last = local(span.since, zone), local(span.until - QUARTER_US, zone)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001  # the clocks' own reckoning, in which steps are numbered
    unit = timedelta(microseconds=width)
    lowest, highest = ((moment.replace(tzinfo=None) - epoch) // unit for moment in (first, last))
    starts = [(number, (epoch + number * unit).replace(tzinfo=zone)) for number in range(lowest, highest + 1)]
    if span.step == "month":
        return [(number, start.replace(day=1)) for number, start in starts]
    return starts


def _sum(start: datetime, found: Sequence[Total]) -> Bar:
    return Bar(
        start,
        sum([each.calls for each in found]),
        sum([each.input_tokens for each in found]),
        sum([each.output_tokens for each in found]),
        sum([each.retail_nano for each in found]),
    )


def _owner(wanted: UsageFilter) -> str:
    # Without it a query would be of the whole storefront.
    if wanted.customer_id is None:
        raise ValueError("a customer's page without its customer")
    return wanted.customer_id
