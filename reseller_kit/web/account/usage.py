"""The pages below `/account/usage`: charts, calls and their charges, exports, alerts. At retail alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from ...core.catalog import TOKEN_CLASSES
from ...core.days import local
from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound
from ...core.ids import is_public_id
from ...core.money import format_token_price, format_unit_price, parse_amount, whole_percent
from ...db.engine import Database, now_us
from ...db.usage import UsageFilter
from ...db.usage_totals import Total
from ...flows import spend_alerts, usage_export
from ...flows.usage_pages import (
    RANGES,
    Explained,
    KeyName,
    Span,
    UsagePage,
    days_span,
    explained,
    named_span,
    usage_page,
    within,
)
from ...theming import account as views
from ...theming import locale
from ...theming.forms import FormView
from ..compression import own_words
from ..forms import Form, read_form
from ..guards import known, see_other, signed_in
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, language_of, runtime_of
from ..sessions import Session, required_session
from .portal import bar_row, bar_rows, call_row, call_rows, shown_key, spending_chart, timezone_of

_HERE: Final = "/account/usage"
_DEFAULT: Final = "30d"
_MAX_TEXT: Final = 200
_SHARES: Final = 8
_DAY: Final = re.compile(r"20\d\d-[01]\d-[0-3]\d")
_FILTERS: Final = ("model", "key", "status", "since", "until", "range")
_EXPORTS: Final[Mapping[str, tuple[str, Callable[[Database, int, UsageFilter], AsyncIterator[bytes]]]]] = {
    "export.csv": ("text/csv", usage_export.as_csv),
    "export.json": ("application/json", usage_export.as_json),
}


def usage_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The page of usage, what it exports, and each call's own page."""

    @get(_HERE, guards=[known], viewable=True)
    async def show(request: Handler) -> Response[Any]:
        wanted_id = request.query_params.get("id", "").strip()[:_MAX_TEXT]
        if wanted_id:
            return await _look_up(pages, request, wanted_id)
        return await _show(pages, request)

    @post(_HERE, guards=[signed_in])
    async def change(request: Handler) -> Response[Any]:
        return await _change_alerts(pages, request, await read_form(request))

    @get([f"{_HERE}/{name}" for name in _EXPORTS], guards=[known])
    async def export(request: Handler) -> Stream:
        return _export(request)

    @get(_HERE + "/{record_id:str}", guards=[known], viewable=True)
    async def show_one(request: Handler, record_id: FromPath[str]) -> Response[Any]:
        session = required_session(request)
        found = await explained(runtime_of(request).db, session.tenant_id, session.customer_id, record_id)
        view = _record(found, timezone_of(request, session))
        return pages.answer(request, "account/record.html", view=view, noindex=True)

    @get(_HERE + "/{record_id:str}/charge", guards=[known])
    async def charge(request: Handler, record_id: FromPath[str]) -> Response[Any]:
        session = required_session(request)
        found = await explained(runtime_of(request).db, session.tenant_id, session.customer_id, record_id)
        headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
        document = usage_export.exported(found.record)
        shown = locale.currency(language_of(request), document["charge"])
        return Response({**document, "charge_text": shown}, headers=headers)

    return [show, change, export, show_one, charge]


async def _look_up(pages: Pages, request: Handler, wanted_id: str) -> Response[Any]:
    session = required_session(request)
    try:
        found = await explained(runtime_of(request).db, session.tenant_id, session.customer_id, wanted_id)
    except NotFound:
        return await _show(pages, request, not_found=wanted_id, status=404)
    return see_other(f"{_HERE}/{found.record.id}")


async def _show(
    pages: Pages, request: Handler, *, not_found: str = "", form: FormView | None = None, status: int = 200
) -> Response[Any]:
    session, db = required_session(request), runtime_of(request).db
    timezone = timezone_of(request, session)
    wanted, span = asked(request, session, timezone)
    found = await usage_page(db, session.tenant_id, wanted, span)
    names = {key.id: key.name for key in found.keys if key.name}
    kept = _kept(request)
    if not not_found and _offered(kept, found):
        own_words(request)
    total, rest = found.charts.total, _with(kept, range="", since="", until="")
    view = views.UsageView(
        range=kept.get("range", "" if "since" in kept else _DEFAULT),
        since=local(span.since, ZoneInfo(timezone)).date(),
        until=local(span.until - 1, ZoneInfo(timezone)).date(),
        step=span.step,
        timezone=timezone,
        chart=spending_chart(found.charts.bars, span.step, language_of(request), f"{_HERE}?{rest}&"),
        bars=bar_rows(found.charts.bars),
        total=bar_row(total),
        models=_shares(found.charts.models, total.retail_nano, kept, "model", lambda name: name),
        keys=_shares(found.charts.keys, total.retail_nano, kept, "key", _key_namer(found.keys)),
        records=call_rows(found.records, timezone, names),
        alerts=tuple(views.AlertRow(id=a.id, period=a.period, threshold=a.threshold_nano) for a in found.alerts),
        model_choices=_with_chosen([row.name for row in found.charts.models], kept.get("model")),
        key_choices=tuple(views.Choice(key.id, _key_namer(found.keys)(key.id)) for key in found.keys),
        filters=kept,
        query=_with(kept),
        newest=wanted.before_id is None,
        older_url=f"{_HERE}?{_with(kept, cursor=found.records[-1].id)}" if found.more else None,
        not_found=not_found,
        form=form or FormView(),
    )
    return pages.answer(request, "account/usage.html", view=view, status=status, noindex=True)


def asked(request: Handler, session: Session, timezone: str) -> tuple[UsageFilter, Span]:
    """What the address narrows the customer's usage to. What makes no sense in it does not narrow."""
    kept, cursor = _kept(request), request.query_params.get("cursor", "")
    wanted = UsageFilter(
        session.customer_id,
        before_id=cursor if is_public_id(cursor, "req") else None,
        model=kept.get("model"),
        key_id=kept.get("key"),
        status=kept.get("status"),
    )
    return wanted, _span(kept, timezone)


def _span(kept: Mapping[str, str], timezone: str) -> Span:
    now = now_us()
    try:
        if "since" in kept or "until" in kept:
            today = local(now, ZoneInfo(timezone)).date()
            last = dt.date.fromisoformat(kept["until"]) if "until" in kept else today
            first = dt.date.fromisoformat(kept["since"]) if "since" in kept else last - dt.timedelta(days=29)
            return days_span(first, last, timezone)
        return named_span(kept.get("range", _DEFAULT), timezone, now)
    except (ValueError, OverflowError, InvalidRequest):
        return named_span(_DEFAULT, timezone, now)


def _kept(request: Handler) -> dict[str, str]:
    """The filters of the address that are ones, as they go on from link to link."""
    given = {name: request.query_params.get(name, "").strip()[:_MAX_TEXT] for name in _FILTERS}
    kept = {name: value for name, value in given.items() if value and value.isprintable()}
    for name, choices in (("status", views.STATUSES), ("range", RANGES)):
        if kept.get(name) not in choices:
            kept.pop(name, None)
    for name in ("since", "until"):
        if not _DAY.fullmatch(kept.get(name, "")):
            kept.pop(name, None)
    if "since" in kept or "until" in kept:
        kept.pop("range", None)
    return kept


def _offered(kept: Mapping[str, str], found: UsagePage) -> bool:
    """Whether model and key are such as the page offers this customer, not words of whoever made the link."""
    models, keys = {row.name for row in found.charts.models}, {key.id for key in found.keys}
    return {kept.get("model")} <= {None, *models} and {kept.get("key")} <= {None, *keys}


def _with(kept: Mapping[str, str], **changed: str) -> str:
    return urlencode({name: value for name, value in {**kept, **changed}.items() if value})


def _with_chosen(names: Sequence[str], chosen: str | None) -> tuple[str, ...]:
    return tuple(sorted({*names, *([chosen] if chosen else [])}))


def _key_namer(keys: Sequence[KeyName]) -> Callable[[str], str]:
    known_keys = {key.id: key for key in keys}

    def name_of(key_id: str) -> str:
        key = known_keys.get(key_id)
        return (key.name if key else "") or shown_key(key_id, key.prefix if key else "")

    return name_of


def _shares(
    rows: Sequence[Total], total: int, kept: Mapping[str, str], field: str, name_of: Callable[[str], str]
) -> tuple[views.ShareRow, ...]:
    return tuple(
        views.ShareRow(
            name=name_of(row.name),
            calls=row.calls,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            charge=row.retail_nano,
            percent=whole_percent(row.retail_nano, total),
            url=f"{_HERE}?{_with(kept, **{field: row.name})}",
        )
        for row in rows[:_SHARES]
    )


def _export(request: Handler) -> Stream:
    session = required_session(request)
    timezone = timezone_of(request, session)
    wanted, span = asked(request, session, timezone)
    name = request.url.path.rpartition("/")[2]
    media_type, write = _EXPORTS[name]
    days = "-".join(f"{local(at, ZoneInfo(timezone)):%Y%m%d}" for at in (span.since, span.until - 1))
    headers = {
        **SECURITY_HEADERS,
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="usage-{days}.{name.rpartition(".")[2]}"',
    }
    pieces = write(runtime_of(request).db, session.tenant_id, within(wanted, span))
    return Stream(pieces, media_type=media_type, headers=headers)


async def _change_alerts(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    session, db = required_session(request), runtime_of(request).db
    if form.raw("action") == "remove-alert":
        await spend_alerts.remove_alert(db, session.tenant_id, session.customer_id, form.raw("id"))
        return see_other(f"{_HERE}#alerts")
    try:
        threshold = _threshold(form)
        period = form.line("period", 10)
        await spend_alerts.add_alert(db, session.tenant_id, session.customer_id, period=period, threshold=threshold)
    except InvalidForm as error:
        return await _show(pages, request, form=form.view(error), status=422)
    except InvalidRequest:
        return await _show(pages, request, form=form.view(_wrong("period", "account.wrong_period")), status=422)
    except Conflict:
        return await _show(pages, request, form=form.view(_wrong("", "account.alerts_many")), status=422)
    return see_other(f"{_HERE}#alerts")


def _threshold(form: Form) -> int:
    try:
        amount = parse_amount(form.line("threshold", 40).removeprefix("$"))
    except InvalidForm:
        raise
    except InvalidRequest:
        amount = 0
    if amount <= 0:
        raise _wrong("threshold", "account.wrong_threshold")
    return amount


def _wrong(field: str, key: str) -> InvalidForm:
    return InvalidForm({field: (key, {})})


def _record(found: Explained, timezone: str) -> views.RecordView:
    record, retail, key = found.record, found.retail, found.key
    names = {key.id: key.name} if key and key.name else {}
    version = retail.version
    return views.RecordView(
        call=call_row(record, timezone, names),
        key_id=record.key_id,
        dialect=record.dialect,
        usage_source=record.usage_source,
        first_byte_ms=record.first_byte_ms,
        reasoning_tokens=record.reasoning_tokens,
        lines=tuple(
            views.ChargeLine(
                usage_class=line.usage_class,
                quantity=line.quantity,
                price=_price(line.usage_class, line.price),
                per_million=line.usage_class in TOKEN_CLASSES,
                amount=format_unit_price(line.amount),
            )
            for line in retail.lines
        ),
        exact=format_unit_price(retail.pico),
        priced_at=None
        if version is None or not version.effective_from
        else local(version.effective_from, ZoneInfo(timezone)),
        above_input=retail.tier,
    )


def _price(usage_class: str, pico: int) -> str:
    return format_token_price(pico) if usage_class in TOKEN_CLASSES else format_unit_price(pico)
