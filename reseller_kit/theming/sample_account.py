"""Sample views of the customer portal. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .account import (
    AlertRow,
    BarRow,
    CallRow,
    ChargeLine,
    Choice,
    KeyRow,
    KeysView,
    KeyView,
    NewKeyView,
    OverviewView,
    PlaygroundView,
    RecordView,
    ShareRow,
    Steps,
    UsageView,
)
from .charts import Chart, Point, bars
from .forms import FormProblem, FormView
from .sample_page import SAMPLE_VISITOR, SamplePage

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_DOLLAR: Final = 10**9
_CALLS: Final = (
    CallRow(
        id="req_01KKAH8DZG0000000000000598",
        at=_AT,
        model="gpt-5-mini",
        key="Production",
        status="ok",
        http_status=200,
        input_tokens=1_234,
        output_tokens=567,
        charge=2_221_350,
        latency_ms=1_840,
        stream=True,
    ),
    CallRow(
        id="req_01KKAH8D080000000000000597",
        at=_AT,
        model="gemini-2.5-flash-lite-preview-09-2025",
        key="sk_abcdef…",
        status="cut",
        http_status=200,
        input_tokens=12,
        output_tokens=3,
        charge=77_000,
        latency_ms=640,
    ),
    CallRow(
        id="req_01KKAH8C100000000000000596",
        at=_AT,
        model="claude-sonnet-4-5",
        key="Playground",
        status="failed",
        http_status=503,
        input_tokens=0,
        output_tokens=0,
        charge=0,
        latency_ms=92,
    ),
)
_DAYS: Final = tuple(dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in range(1, 31))
_BARS: Final = tuple(
    BarRow(start=day, calls=day.day, input_tokens=900 * day.day, output_tokens=90, charge=(day.day * 37) % 11 * _DOLLAR)
    for day in _DAYS
)
_KEYS: Final = (
    KeyRow(
        id="key_01KKAH8C100000000000000001",
        name="Production",
        prefix="sk_abcdef",
        state="active",
        created_at=_AT,
        last_used_at=_AT,
        expires_at=_AT,
        limit=50 * _DOLLAR,
        spent=41 * _DOLLAR,
        reset="monthly",
        resets_at=_AT,
        models=("gpt-*",),
        allow_ips=("203.0.113.0/24",),
        rpm=60,
    ),
    KeyRow(id="key_2", name="", prefix="sk_ghijkl", state="expired", created_at=_AT),
    KeyRow(id="key_3", name="Old", prefix="sk_mnopqr", state="revoked", created_at=_AT),
)
_WRONG: Final = FormView(
    values={"name": "CI", "limit": "much", "allow_ips": "home", "period": "day", "threshold": "x"},
    problems=(
        FormProblem(field="limit", key="account.wrong_limit"),
        FormProblem(field="allow_ips", key="account.wrong_ips"),
        FormProblem(field="threshold", key="account.wrong_threshold"),
    ),
)


def _chart() -> Chart:
    return bars([Point(f"{bar.start.day} Jan", f"{bar.start.day} January 2026", bar.charge, "/x") for bar in _BARS])


def _overview(**changes: Any) -> OverviewView:
    given: dict[str, Any] = {
        "available": 128 * _DOLLAR,
        "reserved": _DOLLAR // 50,
        "debt": 0,
        "today": 2 * _DOLLAR,
        "month": 41 * _DOLLAR,
        "average": 3 * _DOLLAR,
        "forecast": 96 * _DOLLAR,
        "lasts_days": 42,
        "chart": _chart(),
        "bars": _BARS,
        "recent": _CALLS,
        "steps": Steps(True, True, True, True),
    }
    return OverviewView(**{**given, **changes})


def _usage(**changes: Any) -> UsageView:
    share = ShareRow(
        name="gpt-5-mini",
        calls=1_840,
        input_tokens=184_000,
        output_tokens=9_000,
        charge=41 * _DOLLAR,
        percent=81,
        url="/x",
    )
    given: dict[str, Any] = {
        "range": "30d",
        "since": dt.date(2026, 1, 1),
        "until": dt.date(2026, 1, 30),
        "step": "day",
        "timezone": "Europe/Dublin",
        "chart": _chart(),
        "bars": _BARS,
        "total": _BARS[-1],
        "models": (share,),
        "keys": (share,),
        "records": _CALLS,
        "alerts": (AlertRow(id="alr_1", period="day", threshold=5 * _DOLLAR),),
        "model_choices": ("gpt-5-mini",),
        "key_choices": (Choice("key_1", "Production"),),
        "filters": {"model": "gpt-5-mini"},
        "query": "model=gpt-5-mini",
        "older_url": "/account/usage?cursor=x",
    }
    return UsageView(**{**given, **changes})


def _page(path: str, template: str, view: Any) -> SamplePage:
    return SamplePage(path=path, template=f"account/{template}.html", view=view, visitor=SAMPLE_VISITOR)


PAGES: Final = (
    _page("/account", "overview", _overview()),
    _page(
        "/account",
        "overview",
        _overview(steps=Steps(True, True, True, False), chart=bars([]), bars=(), recent=(), lasts_days=None),
    ),
    _page("/account/keys", "keys", KeysView(keys=_KEYS, next_cursor="x", revoked="Old")),
    _page(
        "/account/keys",
        "keys",
        KeysView(keys=(), created=NewKeyView(secret="sk_" + "a" * 36, name="CI"), form=_WRONG),
    ),
    _page("/account/keys", "keys", KeysView(keys=(), may_create=False)),
    _page("/account/keys/key_1", "key", KeyView(key=_KEYS[0], saved=True, form=_WRONG)),
    _page("/account/keys/key_3", "key", KeyView(key=_KEYS[2])),
    _page("/account/usage", "usage", _usage()),
    _page(
        "/account/usage",
        "usage",
        _usage(
            chart=bars([]), step="hour", records=(), models=(), keys=(), newest=False, not_found="req_x", form=_WRONG
        ),
    ),
    _page(
        "/account/usage/req_01KKAH8DZG0000000000000598",
        "record",
        RecordView(
            call=_CALLS[0],
            key_id="key_1",
            dialect="openai",
            usage_source="estimated",
            first_byte_ms=210,
            reasoning_tokens=128,
            lines=(
                ChargeLine(usage_class="input", quantity=1_234, price="0.385", per_million=True, amount="0.00047509"),
                ChargeLine(usage_class="request", quantity=1, price="0.001", per_million=False, amount="0.001"),
            ),
            exact="0.00147509",
            priced_at=_AT,
            above_input=200_000,
        ),
    ),
    _page("/account/playground", "playground", PlaygroundView(models=("gpt-5-mini", "claude-sonnet-4-5"))),
    _page("/account/playground", "playground", PlaygroundView(models=(), ready=False, why_not="unverified")),
)
