"""What the pages of the customer portal show, as values that `web.account` fills, at retail alone.

Amounts are nano-USD, moments aware datetimes by the clocks of the storefront's time zone.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

from msgspec import Struct

from .charts import Chart
from .forms import FormView

STATUSES: Final = ("ok", "cut", "failed", "refused")
STATUS_TONES: Final = {"ok": "ok", "cut": "warn", "failed": "bad", "refused": "bad"}

KeyState = Literal["active", "expired", "revoked"]


class Steps(Struct, frozen=True):
    """How far a new customer has come."""

    verified: bool
    credited: bool
    key_made: bool
    called: bool

    @property
    def all(self) -> tuple[tuple[str, bool], ...]:
        """The steps in order, by the end of their texts' keys."""
        return (
            ("verify", self.verified),
            ("credit", self.credited),
            ("key", self.key_made),
            ("call", self.called),
        )

    @property
    def done(self) -> int:
        """How many are behind."""
        return sum(done for _, done in self.all)

    @property
    def next(self) -> str | None:
        """The first that is not."""
        return next((name for name, done in self.all if not done), None)


class CallRow(Struct, frozen=True, kw_only=True):
    """A call in a list. `key` is what may be shown of its key, or the name that its owner gave it."""

    id: str
    at: dt.datetime
    model: str
    key: str
    status: Literal["ok", "cut", "failed", "refused"]
    http_status: int
    input_tokens: int
    output_tokens: int
    charge: int
    latency_ms: int
    stream: bool = False

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return STATUS_TONES[self.status]


class OverviewView(Struct, frozen=True, kw_only=True):
    """The portal's first page. `lasts_days`: for how long the credit lasts; None for very long or without spending."""

    available: int
    reserved: int
    debt: int
    today: int
    month: int
    average: int
    forecast: int
    lasts_days: int | None
    chart: Chart
    bars: tuple[BarRow, ...]
    recent: tuple[CallRow, ...]
    steps: Steps


class BarRow(Struct, frozen=True, kw_only=True):
    """One step of a chart as a row of the table behind it."""

    start: dt.datetime
    calls: int
    input_tokens: int
    output_tokens: int
    charge: int


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key. `limit` None: it has none; `spent` and `resets_at` are of its present period."""

    id: str
    name: str
    prefix: str
    state: KeyState
    created_at: dt.datetime
    last_used_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    limit: int | None = None
    spent: int = 0
    reset: str = ""
    resets_at: dt.datetime | None = None
    models: tuple[str, ...] = ()
    allow_ips: tuple[str, ...] = ()
    rpm: int | None = None

    @property
    def used_percent(self) -> int:
        """How much of the limit is spent, up to 100."""
        return min(100, self.spent * 100 // self.limit) if self.limit else 0

    @property
    def limit_tone(self) -> str:
        """The colour of its meter."""
        return "bad" if self.used_percent >= 100 else "warn" if self.used_percent >= 80 else ""


class NewKeyView(Struct, frozen=True, kw_only=True):
    """A key that was just made, in the one answer that shows it."""

    secret: str
    name: str


class KeysView(Struct, frozen=True, kw_only=True):
    """The list of keys, and the form of a new one."""

    keys: tuple[KeyRow, ...]
    created: NewKeyView | None = None
    revoked: str = ""
    form: FormView = FormView()
    next_cursor: str | None = None
    may_create: bool = True


class KeyView(Struct, frozen=True, kw_only=True):
    """One key to be changed."""

    key: KeyRow
    saved: bool = False
    form: FormView = FormView()


class ShareRow(Struct, frozen=True, kw_only=True):
    """A model's or key's part of a span's spending. `url` narrows the page to it."""

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    charge: int
    percent: int
    url: str


class Choice(Struct, frozen=True):
    """A way to narrow a list."""

    value: str
    text: str


class AlertRow(Struct, frozen=True, kw_only=True):
    """A spending alert."""

    id: str
    period: Literal["day", "month"]
    threshold: int


class UsageView(Struct, frozen=True, kw_only=True):
    """Charts and calls of a span. `filters` is what narrows them, by field; `query` the same for links.

    `form` is that of a new alert.
    """

    range: str
    since: dt.date
    until: dt.date
    step: Literal["hour", "day", "month"]
    timezone: str
    chart: Chart
    bars: tuple[BarRow, ...]
    total: BarRow
    models: tuple[ShareRow, ...]
    keys: tuple[ShareRow, ...]
    records: tuple[CallRow, ...]
    alerts: tuple[AlertRow, ...]
    model_choices: tuple[str, ...] = ()
    key_choices: tuple[Choice, ...] = ()
    filters: dict[str, str] = {}
    query: str = ""
    newest: bool = True
    older_url: str | None = None
    not_found: str = ""
    form: FormView = FormView()

    @property
    def narrowed(self) -> bool:
        """Whether anything but the span narrows it."""
        return any(self.filters.get(name) for name in ("model", "key", "status"))


class ChargeLine(Struct, frozen=True, kw_only=True):
    """One line of a charge: quantity × price = amount. `price` and `amount` are exact decimal strings in USD."""

    usage_class: str
    quantity: int
    price: str
    per_million: bool
    amount: str


class RecordView(Struct, frozen=True, kw_only=True):
    """One call with its charge, line by line. `exact`: the sum before it is rounded up once."""

    call: CallRow
    key_id: str
    dialect: str
    usage_source: str
    first_byte_ms: int | None
    reasoning_tokens: int
    lines: tuple[ChargeLine, ...]
    exact: str
    priced_at: dt.datetime | None
    above_input: int = 0


class PlaygroundView(Struct, frozen=True, kw_only=True):
    """The models to talk to. `ready`: whether calls may be made; `why_not` ends the key of the text that says why."""

    models: tuple[str, ...]
    ready: bool = True
    why_not: str = ""
