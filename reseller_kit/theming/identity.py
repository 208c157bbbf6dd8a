"""What the pages of sign-up, log-in and security show. Holds no password, token of a session or key."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView
from .locale import language_name


class SignupView(Struct, frozen=True, kw_only=True):
    """The sign-up form, or why there is none: `mode` is open, invite or closed."""

    form: FormView = FormView()
    mode: str = "open"
    domains: tuple[str, ...] = ()
    shortest: int = 10
    trial_nano: int = 0


class LoginView(Struct, frozen=True, kw_only=True):
    """The log-in form. `next` is where it leads, `done` what was just finished; `passkeys`: whether they can work."""

    form: FormView = FormView()
    next: str = ""
    done: str = ""
    passkeys: bool = False
    signup: bool = True


class CodeView(Struct, frozen=True, kw_only=True):
    """The second step of a log-in."""

    form: FormView = FormView()
    next: str = ""
    passkeys: bool = False


class NoticeView(Struct, frozen=True, kw_only=True):
    """A page that tells one thing. `kind` picks its words, `email` is the address that it speaks of."""

    kind: str
    email: str = ""


class ConfirmView(Struct, frozen=True, kw_only=True):
    """A mailed link that does something once its button is pressed. `kind`: verify or email_change."""

    kind: str
    email: str
    token: str


class ResetView(Struct, frozen=True, kw_only=True):
    """The form that asks for a link to set a new password."""

    form: FormView = FormView()


class SetPasswordView(Struct, frozen=True, kw_only=True):
    """The form behind such a link. `first`: the account has no password yet."""

    form: FormView = FormView()
    token: str = ""
    email: str = ""
    first: bool = False
    asks_terms: bool = False
    shortest: int = 10


class ResendView(Struct, frozen=True, kw_only=True):
    """For somebody who is logged in and has not confirmed the address. `sent`: another link is on its way."""

    form: FormView = FormView()
    sent: bool = False


class SessionLine(Struct, frozen=True, kw_only=True):
    """One place where the customer is logged in."""

    id: str
    browser: str
    place: str
    started: dt.datetime
    seen: dt.datetime
    current: bool = False


class PasskeyLine(Struct, frozen=True, kw_only=True):
    """One passkey. `host`: the only one that it works at."""

    id: str
    name: str
    made: dt.date
    used: dt.date | None = None
    host: str = ""


class SecurityView(Struct, frozen=True, kw_only=True):
    """All that guards an account. `action`: whose form was sent and is shown again; `done`: what was finished.

    `locale` and `timezone` are the customer's own choice, empty for the storefront's.
    """

    email: str
    name: str
    locale: str = ""
    timezone: str = ""
    locales: tuple[str, ...] = ("en",)
    two_factor: bool
    recovery_codes: int
    passkeys: tuple[PasskeyLine, ...]
    passkeys_work: bool
    sessions: tuple[SessionLine, ...]
    shortest: int = 10
    form: FormView = FormView()
    action: str = ""
    done: str = ""
    delete_on: dt.date | None = None
    grace_days: int = 14

    @property
    def languages(self) -> tuple[tuple[str, str], ...]:
        """Code and own name of each language that the storefront has."""
        return tuple((code, language_name(code)) for code in self.locales)

    def form_of(self, action: str) -> FormView:
        """The form of one section: what was typed into it, or an empty one."""
        return self.form if self.action == action else FormView()


class TwoFactorView(Struct, frozen=True, kw_only=True):
    """Setting up an authenticator app: the secret as text; its picture is at `/account/security/two-factor.svg`."""

    secret: str
    form: FormView = FormView()


class RecoveryCodesView(Struct, frozen=True, kw_only=True):
    """Recovery codes, shown once."""

    codes: tuple[str, ...]
