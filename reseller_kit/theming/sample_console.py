"""Sample views of the console, and samples of the mails to its members. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from reseller_kit.core.trail import Difference

from .charts import Point, bars
from .console import (
    NAVIGATION,
    AuditLine,
    AuditView,
    DayRow,
    ForgottenView,
    Frame,
    LaunchView,
    LinkView,
    MemberLine,
    OverviewView,
    ProfileView,
    Step,
    TeamView,
    TwoFactorView,
    Who,
    current_of,
)
from .forms import FormProblem, FormView
from .identity import CodeView, LoginView, PasskeyLine, RecoveryCodesView, SessionLine
from .sample_page import SamplePage

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_TWO_FACTOR: Final = "console/two_factor.html"
_WHO: Final = Who(email="founder@aurora.example", name="Ada Lovelace", role="owner")
_WRONG: Final = FormView(
    values={"email": "ada@example"},
    problems=(
        FormProblem(field="", key="login.wrong"),
        FormProblem(field="email", key="form.email_invalid"),
        FormProblem(field="password", key="form.password_short", values={"count": 10}),
        FormProblem(field="code", key="login.wrong_code"),
    ),
)
_NEEDED: Final = tuple((name, "/console/team") for name in ("legal", "models", "prices", "payment", "wallet"))
_ADVISED: Final = (("brand", "/console/team"), ("package", ""), ("domain", "/console/team"))
_CIRCUMSTANCES: Final = {
    "base": "/console",
    "browser": "Firefox · Linux",
    "place": "203.0.113.x",
    "moment": "1 February 2026, 12:30 (UTC)",
}


def page(path: str, view: Any = None, *, template: str = "", notice: str = "") -> SamplePage:
    """A page of the console as an owner sees it; its template has the path's name."""
    frame = Frame(base="/console", who=_WHO, navigation=NAVIGATION, current=current_of(path, NAVIGATION), notice=notice)
    return SamplePage(path=path, template=template or f"{path.removeprefix('/')}.html", view=view, desk=frame)


def door(name: str, template: str, view: Any = None) -> SamplePage:
    """A page of the console for somebody who is not in yet."""
    return SamplePage(path=f"/console/{name}", template=f"console/{template}", view=view, desk=Frame(base="/console"))


def _profile(**changes: Any) -> ProfileView:
    given: dict[str, Any] = {
        "email": _WHO.email,
        "name": _WHO.name,
        "role": _WHO.role,
        "app": True,
        "recovery_codes": 8,
        "passkeys": (
            PasskeyLine(id="psk_1", name="Laptop", host="aurora.example", made=_AT.date(), used=_AT.date()),
            PasskeyLine(id="psk_2", name="Phone", host="aurora.example", made=_AT.date()),
        ),
        "sessions": (
            SessionLine(
                id="ses_1", browser="Firefox · Linux", place="203.0.113.x", started=_AT, seen=_AT, current=True
            ),
            SessionLine(id="ses_2", browser="", place="2001:db8:1::/48", started=_AT, seen=_AT),
        ),
    }
    return ProfileView(**{**given, **changes})


def _team(**changes: Any) -> TeamView:
    shared: dict[str, Any] = {"status": "active", "two_factor": False, "may_change": True}
    ada = {**shared, "number": 1, "email": _WHO.email, "name": _WHO.name, "role": "owner", "two_factor": True}
    grace = {**shared, "number": 2, "email": "grace@aurora.example", "name": "Grace Hopper", "role": "finance"}
    alan = {**shared, "number": 3, "email": "alan@aurora.example", "name": "", "role": "support", "status": "invited"}
    given: dict[str, Any] = {
        "members": (
            MemberLine(**ada, seen=_AT, you=True),
            MemberLine(**grace, seen=_AT),
            MemberLine(**alan, invited=_AT.date()),
        ),
        "roles": ("owner", "admin", "finance", "support"),
        "may_edit": True,
    }
    return TeamView(**{**given, **changes})


def _overview(**changes: Any) -> OverviewView:
    names = ("brand", "legal", "prices", "package", "payment", "wallet", "domain", "open", "customer", "call")
    days = tuple(
        DayRow(dt.date(2026, 1, 2) + dt.timedelta(days=number), number, number * 10**8) for number in range(30)
    )
    return OverviewView(
        name="Ada Lovelace",
        steps=tuple(Step(name=name, done=name in {"brand", "prices"}, path="/console/team") for name in names),
        balance=95 * 10**8,
        reserved=10**7,
        today=days[-1].retail,
        month=sum(day.retail for day in days),
        calls_today=29,
        calls=435,
        customers=12,
        new_customers=3,
        orders=1,
        cases=2,
        reports=1,
        chart=bars([Point(f"{row.day:%d %b}", row.day.isoformat(), row.retail) for row in days]),
        days=days,
        linked=frozenset({"/console/team"}),
        **changes,
    )


def _audit(**changes: Any) -> AuditView:
    shared: dict[str, Any] = {"at": _AT, "kind": "tenant", "ref": "aurora"}
    lines = (
        AuditLine(
            **shared,
            number=3,
            author="member",
            who=_WHO.email,
            action="edit.update",
            differences=(Difference("pricing.markup", "30%", "40%"), Difference("brand.tagline", None, "{{7*7}} <b>")),
        ),
        AuditLine(**shared, number=2, author="operator", who="", action="tenant.resume", differences=()),
        AuditLine(**shared, number=1, author="customer", who="cus_1", action="customer.sign_up", differences=()),
    )
    given: dict[str, Any] = {
        "lines": lines,
        "actions": ("customer.sign_up", "edit.update", "tenant.resume"),
        "kinds": ("customer", "tenant"),
        "fields": {},
        "query": "",
        "newest": True,
        "older_url": "/console/audit?before=1",
        "path": "/console/audit",
    }
    return AuditView(**{**given, **changes})


PAGES: Final = (
    door("login", "login.html", LoginView(next="/console/team", done="password")),
    door("login", "login.html", LoginView(form=_WRONG)),
    door("login", "code.html", CodeView(form=_WRONG)),
    door("reset", "forgotten.html", ForgottenView(form=_WRONG)),
    door("reset", "forgotten.html", ForgottenView(sent="ada@example.com")),
    door("reset", "link.html", LinkView(purpose="reset", token="sample", email="ada@example.com", form=_WRONG)),
    door("invite", "link.html", LinkView(purpose="invite", token="sample", email="ada@example.com", role="admin")),
    door("invite", "gone.html"),
    page("/console", _overview(launch=LaunchView(missing=_NEEDED)), template="console/overview.html", notice="draft"),
    page("/console", _overview(launch=LaunchView(advised=_ADVISED), form=_WRONG), template="console/overview.html"),
    page("/console", _overview(launch=LaunchView(review=True), done_now="opened"), template="console/overview.html"),
    page(
        "/console",
        _overview(launch=LaunchView(review=True, asked=True), done_now="asked"),
        template="console/overview.html",
    ),
    page("/console", OverviewView(name="", steps=(), customers=3), template="console/overview.html"),
    page("/console/team", _team(done="invited")),
    page("/console/team", _team(action="invite", form=_WRONG, roles=("admin",))),
    page("/console/team", _team(may_edit=False, roles=())),
    page("/console/audit", _audit()),
    page("/console/audit", _audit(lines=(), problem="Write days like 2026-01-31.", fields={"since": "x"})),
    page("/console/profile", _profile(done="name")),
    page("/console/profile", _profile(role="admin", action="password", form=_WRONG)),
    page("/console/profile", _profile(role="admin", app=False, passkeys=(), passkeys_work=False)),
    page("/console/profile/two-factor", TwoFactorView(secret="", needed=True, role="owner"), template=_TWO_FACTOR),
    page(
        "/console/profile/two-factor",
        TwoFactorView(secret="JBSWY3DP", needed=False, role="admin", form=_WRONG),
        template=_TWO_FACTOR,
    ),
    page("/console/profile", RecoveryCodesView(codes=("ABCDE-23456",) * 10), template="console/recovery_codes.html"),
)
MAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "member_invite": {"base": "/console", "token": "sample", "role": "admin", "invited_by": "ada@example.com"},
    "member_reset": {"base": "/console", "token": "sample"},
    "member_password": _CIRCUMSTANCES,
    "member_new_login": _CIRCUMSTANCES,
    "member_two_factor": {**_CIRCUMSTANCES, "change": "on"},
}
