"""What the consoles' pages of reports of abuse show; the upstream is on the operator's alone. Texts are data."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .forms import FormView

_TONES: Final = {"open": "warn", "restricted": "bad", "appealed": "warn", "upheld": "bad", "lifted": "ok"}
CATEGORIES: Final = {
    "illegal": "Illegal content or acts",
    "violence": "Violence or weapons",
    "sexual": "Sexual content or minors",
    "malware": "Malware or attacks",
    "fraud": "Fraud or deception",
    "spam": "Spam or scraping",
    "privacy": "Other people's data",
    "other": "Something else",
}
"""Category → its words."""


class ReportLine(Struct, frozen=True, kw_only=True):
    """A report in a list. `url`: its page; `tenant`: on the operator's pages alone."""

    id: str
    url: str
    customer: str
    category: str
    state: str
    at: dt.datetime
    tenant: str = ""

    @property
    def what(self) -> str:
        """The category in words."""
        return CATEGORIES.get(self.category, self.category)

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _TONES.get(self.state, "")


class ReportsView(Struct, frozen=True, kw_only=True):
    """The list, of one state or of all. `upstreams`: for the operator's form, which only the platform's page has."""

    base: str
    rows: tuple[ReportLine, ...] = ()
    state: str = ""
    older_url: str = ""
    newest: bool = True
    upstreams: tuple[str, ...] = ()
    form: FormView = FormView()

    @property
    def categories(self) -> tuple[tuple[str, str], ...]:
        """The categories to choose from, in words."""
        return tuple(CATEGORIES.items())


class ReportView(Struct, frozen=True, kw_only=True):
    """One report. `moves`: what may be done now; `words`: what a restriction's form proposes to tell the customer.

    `reporter`: name, reference and the customer's name at the upstream, for the operator alone.
    """

    base: str
    line: ReportLine
    customer_url: str
    paragraphs: tuple[str, ...]
    request_id: str = ""
    happened: dt.datetime | None = None
    forced: bool = False
    reason: tuple[str, ...] = ()
    restricted: dt.datetime | None = None
    until: dt.datetime | None = None
    appeal: tuple[str, ...] = ()
    appealed: dt.datetime | None = None
    answer: tuple[str, ...] = ()
    answered: dt.datetime | None = None
    moves: tuple[str, ...] = ()
    words: str = ""
    reporter: tuple[str, str, str] | None = None
    action: str = ""
    form: FormView = FormView()
    done: str = ""

    def form_of(self, *actions: str) -> FormView:
        """The form of these decisions: what was typed into it, or an empty one."""
        return self.form if self.action in actions else FormView()
