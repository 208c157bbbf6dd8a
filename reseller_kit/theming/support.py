"""What the pages of contact, support cases and announcements show. All texts of people are plain; they are escaped."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from msgspec import Struct

from .forms import FormView


class AnnouncementRow(Struct, frozen=True, kw_only=True):
    """One announcement; `body` is Markdown, sanitised when it is shown."""

    id: str
    kind: Literal["news", "maintenance", "incident"]
    title: str
    body: str
    starts: dt.datetime
    ends: dt.datetime | None = None
    current: bool = False


class AnnouncementsView(Struct, frozen=True, kw_only=True):
    """The page of announcements, newest first."""

    rows: tuple[AnnouncementRow, ...] = ()


class ContactView(Struct, frozen=True, kw_only=True):
    """The form that opens a case. `sent`: it was taken; `known`: somebody is logged in; `about`: what it is of."""

    form: FormView = FormView()
    known: bool = False
    about: str = ""
    sent: bool = False
    email: str = ""


class CaseRow(Struct, frozen=True, kw_only=True):
    """A case in the customer's list."""

    id: str
    subject: str
    state: Literal["open", "answered", "closed"]
    opened: dt.datetime
    changed: dt.datetime


class MessageRow(Struct, frozen=True, kw_only=True):
    """One message; `paragraphs` of plain text."""

    author: Literal["customer", "team"]
    at: dt.datetime
    paragraphs: tuple[str, ...]


class SupportView(Struct, frozen=True, kw_only=True):
    """The customer's cases. `older`: where the next page is."""

    rows: tuple[CaseRow, ...] = ()
    older: str = ""


class CaseView(Struct, frozen=True, kw_only=True):
    """One case with its messages."""

    case: CaseRow
    about: str = ""
    about_url: str = ""
    messages: tuple[MessageRow, ...] = ()
    form: FormView = FormView()


class UnsubscribeView(Struct, frozen=True, kw_only=True):
    """The page behind a mail's link. `state`: ask, done or unknown; `kind`: which mails it ends."""

    state: Literal["ask", "done", "unknown"]
    customer: str = ""
    token: str = ""
    kind: Literal["announcement", "credit"] = "announcement"

    @property
    def text(self) -> str:
        """The end of its texts' keys."""
        return f"{self.state}_credit" if self.kind == "credit" and self.state != "unknown" else self.state


def paragraphs(text: str) -> tuple[str, ...]:
    """A message's paragraphs."""
    return tuple(part.strip() for part in text.split("\n\n") if part.strip())
