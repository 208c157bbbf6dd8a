"""What the console's pages of support cases show. Moments are aware datetimes; texts of people are data."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .forms import FormView

_TONES: Final = {"open": "warn", "answered": "ok", "closed": ""}


class CaseRow(Struct, frozen=True, kw_only=True):
    """A case in the inbox; `changed`: when the last was said."""

    id: str
    subject: str
    who: str
    state: str
    changed: dt.datetime

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _TONES.get(self.state, "")


class CasesView(Struct, frozen=True, kw_only=True):
    """The inbox, of one state or of all."""

    rows: tuple[CaseRow, ...] = ()
    state: str = ""
    older_url: str = ""
    newest: bool = True


class SaidRow(Struct, frozen=True, kw_only=True):
    """A message; `who`: the member who wrote it, empty for the customer."""

    team: bool
    who: str
    paragraphs: tuple[str, ...]
    at: dt.datetime


class CasePageView(Struct, frozen=True, kw_only=True):
    """One case. `customer_url` and `about_url` lead to what it is about, where there is such a page."""

    row: CaseRow
    said: tuple[SaidRow, ...] = ()
    customer_url: str = ""
    about: str = ""
    about_url: str = ""
    may_edit: bool = False
    form: FormView = FormView()
    done: str = ""
