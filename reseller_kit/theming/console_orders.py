"""What the console's pages of orders show. Amounts are nano-USD, moments aware datetimes; texts of people are data."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .billing import ORDER_TONES
from .forms import FormView


class OrderLine(Struct, frozen=True, kw_only=True):
    """An order in the list."""

    id: str
    title: str
    customer: str
    customer_id: str
    state: str
    price: int
    at: dt.datetime
    provider: str = "manual"

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return ORDER_TONES[self.state]


class FindingLine(Struct, frozen=True, kw_only=True):
    """Something to look at: `code` ends the key of its title; `refund` is the reason that gives the payment back."""

    code: str
    order: str = ""
    payment: str = ""
    customer: str = ""
    amount: str = ""
    currency: str = "USD"
    refund: str = ""


class OrdersView(Struct, frozen=True, kw_only=True):
    """The list of orders, and what waits for somebody. `states`: what can be chosen; `query`: of the page's address."""

    lines: tuple[OrderLine, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    states: tuple[str, ...] = ()
    state: str = ""
    customer: str = ""
    problem: str = ""
    older_url: str = ""
    newest: bool = True


class EventLine(Struct, frozen=True, kw_only=True):
    """A step of an order's timeline: what happened, who did it, and what is known of it."""

    event: str
    state: str
    at: dt.datetime
    who: str
    facts: tuple[tuple[str, str], ...] = ()


class PaymentLine(Struct, frozen=True, kw_only=True):
    """A payment that came for the order, gross as people read it. `why`: as what it can be given back, "" if not so."""

    ref: str
    amount: str
    currency: str
    state: str
    problem: str = ""
    why: str = ""


class RefundLine(Struct, frozen=True, kw_only=True):
    """A refund that was asked for, gross as people read it; `error`: why it is not given."""

    amount: str
    currency: str
    state: str
    reason: str
    at: dt.datetime
    error: str = ""


class OrderPageView(Struct, frozen=True, kw_only=True):
    """One order. `refundable`: what of its payment is left (nano-USD); `done`: what was just done.

    `left`: as `left_to_refund` says, so that a refund that is sent twice is one.
    """

    line: OrderLine
    package: str
    version: int
    credits: int
    refunded: int
    reference: str = ""
    receipt: str = ""
    lapses: dt.datetime | None = None
    events: tuple[EventLine, ...] = ()
    payments: tuple[PaymentLine, ...] = ()
    refunds: tuple[RefundLine, ...] = ()
    may_approve: bool = False
    may_reject: bool = False
    refundable: int = 0
    left: int = 0
    note: str = ""
    action: str = ""
    form: FormView = FormView()
    done: str = ""

    @property
    def empty_form(self) -> FormView:
        """For the forms that were not sent."""
        return FormView()
