"""Sample views of sign-up, log-in and security, and samples of their mails. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from .forms import FormProblem, FormView
from .identity import (
    CodeView,
    ConfirmView,
    LoginView,
    NoticeView,
    PasskeyLine,
    RecoveryCodesView,
    ResendView,
    ResetView,
    SecurityView,
    SessionLine,
    SetPasswordView,
    SignupView,
    TwoFactorView,
)
from .sample_page import SAMPLE_VISITOR, SamplePage

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_WRONG: Final = FormView(
    values={"email": "jane@example"},
    problems=(
        FormProblem(field="", key="login.wrong"),
        FormProblem(field="email", key="form.email_invalid"),
        FormProblem(field="password", key="form.password_short", values={"count": 10}),
        FormProblem(field="terms", key="signup.terms_needed"),
        FormProblem(field="code", key="login.wrong_code"),
    ),
)
_CIRCUMSTANCES: Final = {
    "browser": "Firefox · Linux",
    "place": "203.0.113.x",
    "moment": "1 February 2026, 12:30 (UTC)",
}


def _security(**changes: Any) -> SecurityView:
    given: dict[str, Any] = {
        "email": "jane@example.com",
        "name": "Jane Doe",
        "two_factor": True,
        "recovery_codes": 8,
        "passkeys": (
            PasskeyLine(id="psk_1", name="Laptop", made=dt.date(2026, 1, 3), used=dt.date(2026, 1, 31)),
            PasskeyLine(id="psk_2", name="Phone", made=dt.date(2026, 1, 5)),
        ),
        "passkeys_work": True,
        "sessions": (
            SessionLine(
                id="ses_1", browser="Firefox · Linux", place="203.0.113.x", started=_AT, seen=_AT, current=True
            ),
            SessionLine(id="ses_2", browser="", place="2001:db8:1::/48", started=_AT, seen=_AT),
        ),
    }
    return SecurityView(**{**given, **changes})


def _page(path: str, template: str, view: Any) -> SamplePage:
    visitor = SAMPLE_VISITOR if path.startswith("/account") else None
    return SamplePage(path=path, template=template, view=view, visitor=visitor)


PAGES: Final = (
    _page("/signup", "auth/signup.html", SignupView(trial_nano=10**9, domains=("example.com",))),
    _page("/signup", "auth/signup.html", SignupView(form=_WRONG)),
    _page("/signup", "auth/signup.html", SignupView(mode="invite")),
    _page("/signup", "auth/signup.html", SignupView(mode="closed")),
    _page("/login", "auth/login.html", LoginView(next="/account/keys", done="password", passkeys=True)),
    _page("/login", "auth/login.html", LoginView(form=_WRONG, signup=False)),
    _page("/login", "auth/code.html", CodeView(form=_WRONG, next="/account", passkeys=True)),
    _page("/logout", "auth/logout.html", NoticeView(kind="log_out")),
    *(
        _page("/verify", "auth/notice.html", NoticeView(kind=kind, email="jane@example.com"))
        for kind in ("sign_up", "reset", "verified", "email_changed", "link_gone", "reset_gone")
    ),
    _page("/verify", "auth/confirm.html", ConfirmView(kind="verify", email="jane@example.com", token="sample")),
    _page("/verify", "auth/confirm.html", ConfirmView(kind="email_change", email="jane@example.com", token="sample")),
    _page("/verify", "auth/resend.html", ResendView(sent=True)),
    _page("/reset", "auth/reset.html", ResetView(form=_WRONG)),
    _page("/reset", "auth/set_password.html", SetPasswordView(token="sample", email="jane@example.com")),
    _page(
        "/reset",
        "auth/set_password.html",
        SetPasswordView(form=_WRONG, token="sample", email="jane@example.com", first=True, asks_terms=True),
    ),
    _page("/account/security", "account/security.html", _security(done="profile")),
    _page(
        "/account/security",
        "account/security.html",
        _security(
            two_factor=False,
            passkeys=(),
            passkeys_work=False,
            locales=("en", "de"),
            action="email",
            form=_WRONG,
            delete_on=dt.date(2026, 2, 15),
        ),
    ),
    _page("/account/security/two-factor", "account/two_factor.html", TwoFactorView(secret="JBSWY3DP", form=_WRONG)),
    _page("/account/security", "account/recovery_codes.html", RecoveryCodesView(codes=("ABCDE-23456",) * 10)),
)
MAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "verify": {"token": "sample"},
    "already_registered": {},
    "reset": {"token": "sample"},
    "invite": {"token": "sample"},
    "password_changed": _CIRCUMSTANCES,
    "email_change": {"token": "sample"},
    "email_changed": _CIRCUMSTANCES,
    "new_login": _CIRCUMSTANCES,
    "two_factor_changed": {**_CIRCUMSTANCES, "change": "on"},
    "account_deleted": {"date": "15 February 2026"},
}
