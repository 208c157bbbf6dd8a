"""Sample views of the operator's pages. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from .charts import Point, bars
from .console import PLATFORM_NAVIGATION, Frame, Who, current_of
from .forms import FormProblem, FormView
from .platform import (
    DriftRow,
    FindingRow,
    LevelsRow,
    NewTenantView,
    PlatformView,
    TenantRow,
    TenantView,
    UpstreamRow,
)
from .sample_page import SamplePage

_WHO: Final = Who(email="op@platform.example", name="", role="operator")
_DOLLAR: Final = 10**9
_STUCK: Final = (
    "parked_mails",
    "late_mails",
    "open_holds",
    "parked_deliveries",
    "late_deliveries",
    "orders",
    "unasked_providers",
    "reviews",
    "reports",
    "appeals",
)


def platform_page(path: str, template: str, view: Any) -> SamplePage:
    """A page of the operator's as one of its people sees it."""
    items = PLATFORM_NAVIGATION
    frame = Frame(base="", who=_WHO, navigation=items, current=current_of(path, items), platform=True)
    return SamplePage(path=path, template=f"platform/{template}.html", view=view, desk=frame)


def _row(slug: str, state: str, **changes: Any) -> TenantRow:
    given: dict[str, Any] = {
        "hosts": (f"{slug}.example",),
        "customers": 12,
        "settlement": "prepaid",
        "balance": 5 * _DOLLAR,
        "low": False,
        "calls": 1_200,
        "retail": 9 * _DOLLAR,
        "wholesale": 7 * _DOLLAR,
        "margin": _DOLLAR,
        "tried": 100,
        "failed": 3,
    }
    return TenantRow(slug=slug, name=slug.title(), state=state, **{**given, **changes})


def _upstream(name: str, circuit: str, **changes: Any) -> UpstreamRow:
    given: dict[str, Any] = {
        "status": "active",
        "base_url": f"https://{name}.example/v1",
        "models": 1,
        "keys": 1,
        "parked": 0,
    }
    return UpstreamRow(name=name, circuit=circuit, **{**given, **changes})


_UPSTREAMS: Final = (
    _upstream("openai", "closed", models=3, keys=2, parked=1),
    _upstream("backup", "half_open", keys=0, reasons=("gpt-5-mini: 503",)),
    _upstream("steady", "off"),
    _upstream("old", "closed", status="withdrawn", models=0),
)


def _overview(**changes: Any) -> PlatformView:
    first = dt.date(2026, 1, 2)
    days = tuple(
        LevelsRow(
            day=first + dt.timedelta(days=number),
            calls=number,
            retail=number * 13 * 10**7,
            wholesale=number * 11 * 10**7,
            cost=number * 10**8,
        )
        for number in range(30)
    )
    given: dict[str, Any] = {
        "retail": 56 * _DOLLAR,
        "wholesale": 47 * _DOLLAR,
        "cost": 43 * _DOLLAR,
        "margin": 4 * _DOLLAR,
        "calls": 435,
        "chart": bars([Point(f"{row.day:%d %b}", row.day.isoformat(), row.wholesale) for row in days]),
        "days": days,
        "tenants": (
            _row("aurora", "active", low=True),
            _row("nova", "draft", hosts=()),
            _row("zenith", "suspended", settlement="revenue_share"),
            _row("bygone", "archived"),
        ),
        "upstreams": _UPSTREAMS,
        "stuck": dict.fromkeys(_STUCK, 2),
        "drift": (
            DriftRow("drift", "tenant", "aurora", ("pricing.markup",)),
            DriftRow("orphan", "owner", "aurora/ada@example.com", ()),
        ),
    }
    return PlatformView(**{**given, **changes})


def _tenant(**changes: Any) -> TenantView:
    given: dict[str, Any] = {
        "slug": "aurora",
        "name": "Aurora AI",
        "state": "active",
        "reason": "",
        "theme": "daylight",
        "timezone": "UTC",
        "hosts": ("aurora.example",),
        "url": "https://aurora.example",
        "members": (("ada@aurora.example", "owner", "invited"),),
        "customers": 12,
        "settlement": "prepaid",
        "balance": _DOLLAR,
        "reserved": 0,
        "overdraft": 0,
        "low": True,
        "calls": 10,
        "retail": 9 * _DOLLAR,
        "wholesale": 7 * _DOLLAR,
        "cost": 6 * _DOLLAR,
        "findings": (FindingRow(code="DR205", level="error", message="No model is priced.", fix="Run apply."),),
    }
    return TenantView(**{**given, **changes})


_WRONG: Final = FormView(
    values={"slug": "Aurora AI"},
    problems=(FormProblem(field="slug", key="Use a-z."), FormProblem(field="reason", key="form.needed")),
)
PAGES: Final = (
    platform_page("/", "overview", _overview()),
    platform_page("/", "overview", _overview(tenants=(), stuck={}, drift=(), chart=bars([]))),
    platform_page("/tenants/aurora", "tenant", _tenant(done="created")),
    platform_page(
        "/tenants/aurora",
        "tenant",
        _tenant(state="suspended", reason="unpaid", hosts=(), url="", members=(), findings=()),
    ),
    platform_page("/tenants/aurora", "tenant", _tenant(settlement="revenue_share", low=False, form=_WRONG)),
    platform_page("/tenants/aurora", "tenant", _tenant(state="draft", done="created")),
    platform_page("/tenants/aurora", "tenant", _tenant(state="draft", asked_at=dt.datetime(2026, 2, 1, tzinfo=dt.UTC))),
    platform_page("/tenants/new", "new_tenant", NewTenantView(themes=(("daylight", "Daylight"),), form=_WRONG)),
)
