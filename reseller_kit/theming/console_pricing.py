"""What the console's pages of prices show, as values that `web.console` fills. What a reseller pays, never a cost.

Prices are decimal texts in USD with the unit that they are for; amounts nano-USD; moments by the storefront's zone.
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView


class PriceCell(Struct, frozen=True, kw_only=True):
    """One price: what is paid for it and what is left, in texts. `tone`: bad where it loses money."""

    label: str
    unit: str
    retail: str
    paid: str = ""
    margin: str = ""
    percent: str = ""
    tone: str = ""


class ModelLine(Struct, frozen=True, kw_only=True):
    """A model of the table: the two prices that everybody asks for, and all others."""

    model: str
    hidden: bool
    aliases: tuple[str, ...]
    main: tuple[PriceCell, ...]
    others: tuple[PriceCell, ...]
    margin: str
    tone: str = ""


class RuleRow(Struct, frozen=True, kw_only=True):
    """A rule as it was typed; `more`: prices of further classes."""

    match: str = ""
    markup: str = ""
    input: str = ""
    output: str = ""
    more: str = ""
    allow_loss: bool = False


class MoveRow(Struct, frozen=True, kw_only=True):
    """A price that would change, in texts; empty where there is none."""

    model: str
    label: str
    unit: str
    paid: str
    old: str
    new: str
    percent: str
    tone: str = ""


class EarningRow(Struct, frozen=True, kw_only=True):
    """What calls came to and what they would have come to, in nano-USD."""

    model: str
    calls: int
    retail_now: int
    retail_then: int
    margin_now: int
    margin_then: int


class Preview(Struct, frozen=True, kw_only=True):
    """What publishing would do. `moves` are the first of `count`; `total` None: there were no calls to compute with."""

    moves: tuple[MoveRow, ...]
    count: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    earnings: tuple[EarningRow, ...] = ()
    total: EarningRow | None = None
    left_out: int = 0
    complete: bool = True
    days: int = 30

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.count or self.added or self.removed)


class PricingView(Struct, frozen=True, kw_only=True):
    """The editor with the table of models below it. `floor`: the least markup, where the terms have one."""

    markup: str
    notice_days: str
    allow_loss: bool
    rules: tuple[RuleRow, ...]
    aliases: tuple[tuple[str, str], ...]
    allow: str
    deny: str
    mark: str
    models: tuple[ModelLine, ...]
    names: tuple[str, ...]
    may_edit: bool
    form: FormView = FormView()
    preview: Preview | None = None
    query: str = ""
    shown: str = ""
    first: int = 0
    found: int = 0
    newer_url: str = ""
    older_url: str = ""
    done: str = ""
    restored: dt.datetime | None = None
    waiting: int = 0
    floor: str = ""


class ScheduledRow(Struct, frozen=True, kw_only=True):
    """A scheduled change. `state`: waiting | begun | held | cancelled."""

    id: str
    at: dt.datetime
    told_at: dt.datetime
    what: str
    models: str
    group: str = ""
    state: str
    reason: str
    actor: str


class ScheduleView(Struct, frozen=True, kw_only=True):
    """What is scheduled, and the form of a new change. `groups`: (id, what is read) of those with a markup."""

    rows: tuple[ScheduledRow, ...]
    form: FormView
    may_edit: bool
    zone: str
    notice_days: int
    names: tuple[str, ...] = ()
    groups: tuple[tuple[str, str], ...] = ()
    allow_loss: bool = False
    preview: Preview | None = None
    older_url: str = ""
    done: str = ""


class ChangeRow(Struct, frozen=True, kw_only=True):
    """A past change, in sentences."""

    id: int
    at: dt.datetime
    actor: str
    lines: tuple[str, ...]


class HistoryView(Struct, frozen=True, kw_only=True):
    """Past changes, newest first."""

    changes: tuple[ChangeRow, ...]
    may_edit: bool
    older_url: str = ""
