"""What the console's pages of customers show. Amounts are nano-USD, moments aware; texts of people are data."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .account import CallRow
from .billing import LotRow
from .console_orders import OrderLine
from .forms import FormView

_TONES: Final = {"active": "ok", "suspended": "bad", "closing": "warn"}


class CustomerLine(Struct, frozen=True, kw_only=True):
    """A customer in the list. `spent`: in the last 30 days; `restricted`: calls are refused after a report of abuse."""

    id: str
    email: str
    name: str
    status: str
    balance: int
    debt: int
    spent: int
    since: dt.date
    group: str = ""
    verified: bool = True
    restricted: bool = False

    @property
    def tone(self) -> str:
        """The colour of its status."""
        return _TONES.get(self.status, "")


class CustomersView(Struct, frozen=True, kw_only=True):
    """The list of customers. `groups`: the tenant's; `query`: the search as its address says it.

    `may_group`: whether the pages of groups are this member's to see.
    """

    lines: tuple[CustomerLine, ...] = ()
    groups: tuple[str, ...] = ()
    text: str = ""
    status: str = ""
    group: str = ""
    owing: bool = False
    query: str = ""
    older_url: str = ""
    newest: bool = True
    may_create: bool = False
    may_group: bool = False
    form: FormView = FormView()
    link: str = ""
    made: str = ""


class KeyLine(Struct, frozen=True, kw_only=True):
    """A key that works, by what may be shown of it."""

    id: str
    prefix: str
    name: str
    used: dt.datetime | None = None
    expires: dt.datetime | None = None


class NoteLine(Struct, frozen=True, kw_only=True):
    """What somebody of the team noted."""

    author: str
    body: str
    at: dt.datetime


class CaseLine(Struct, frozen=True, kw_only=True):
    """A support case."""

    id: str
    subject: str
    state: str
    at: dt.datetime


class CustomerPageView(Struct, frozen=True, kw_only=True):
    """One customer. `action`: the form that was sent, `form` what was typed there; `done`: what was just done.

    `restricted`: what the customer was told of a restriction that holds.
    """

    line: CustomerLine
    available: int
    reserved: int
    reason: str = ""
    until: dt.datetime | None = None
    restricted: str = ""
    lots: tuple[LotRow, ...] = ()
    keys: tuple[KeyLine, ...] = ()
    orders: tuple[OrderLine, ...] = ()
    cases: tuple[CaseLine, ...] = ()
    calls: tuple[CallRow, ...] = ()
    notes: tuple[NoteLine, ...] = ()
    groups: tuple[str, ...] = ()
    may_edit: bool = False
    may_credit: bool = False
    request_key: str = ""
    action: str = ""
    form: FormView = FormView()
    done: str = ""

    @property
    def empty_form(self) -> FormView:
        """For the forms that were not sent."""
        return FormView()
