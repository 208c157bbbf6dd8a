"""What the billing pages show, as values that `web.account` fills. Amounts are nano-USD, moments aware datetimes."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from reseller_kit.core.money import format_amount

from .forms import FormView
from .page import PackageRow

ORDER_TONES: Final = {
    "paid": "info",
    "activated": "ok",
    "partially_refunded": "warn",
    "refunded": "",
    "charged_back": "bad",
    "activation_failed": "warn",
    "review": "warn",
    "duplicate_paid": "warn",
    "draft": "warn",
    "checkout_open": "warn",
    "cancelled": "",
    "lapsed": "",
}
"""State of an order → the colour of its badge."""


class OfferRow(Struct, frozen=True, kw_only=True):
    """Something to buy with all its terms; `models`: patterns of those it can be spent on, empty for all."""

    package: PackageRow
    models: tuple[str, ...] = ()
    lasts_days: int | None = None

    @property
    def presets(self) -> tuple[str, ...]:
        """A top-up's amounts to choose from, as decimal strings of USD."""
        return tuple(format_amount(preset) for preset in self.package.presets_nano)


class LotRow(Struct, frozen=True, kw_only=True):
    """A part of the credit: where it came from, what is left, for what and until when."""

    kind: str
    amount: int
    left: int
    at: dt.datetime
    expires: dt.datetime | None = None
    models: tuple[str, ...] = ()


class OrderRow(Struct, frozen=True, kw_only=True):
    """An order in a list."""

    id: str
    title: str
    state: str
    price: int
    credits: int
    at: dt.datetime

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return ORDER_TONES[self.state]


class MoveRow(Struct, frozen=True, kw_only=True):
    """One movement of the credit. `kind` ends the key of its text; `url` leads to what it is about."""

    kind: str
    amount: int
    after: int | None
    at: dt.datetime
    url: str = ""


class BillingView(Struct, frozen=True, kw_only=True):
    """The billing page. `may_buy`: the customer is verified and neither suspended nor leaving.

    `manual`: it pays outside, to whoever confirms it.
    """

    available: int
    balance: int
    reserved: int
    debt: int
    lots: tuple[LotRow, ...] = ()
    offers: tuple[OfferRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    moves: tuple[MoveRow, ...] = ()
    older_orders: str = ""
    older_moves: str = ""
    redeemed: int | None = None
    may_buy: bool = True
    manual: bool = True
    form: FormView = FormView()

    def form_of(self, code: str) -> FormView:
        """The form of this top-up: what was typed is shown where it was typed."""
        return self.form if self._typed == code else FormView()

    def prefix_of(self, code: str) -> str:
        """What the ids of its fields begin with, so that the summary of problems leads to the right one."""
        return "" if self._typed == code else f"{code}-"

    @property
    def _typed(self) -> str:
        first = next((offer.package.id for offer in self.offers if offer.package.kind == "topup"), "")
        return self.form.value("package") or first


class CheckoutView(Struct, frozen=True, kw_only=True):
    """What is about to be ordered, to be confirmed. `terms` and `request_key` go back with the form."""

    offer: OfferRow
    price: int
    credits: int
    amount: str
    terms: str
    request_key: str
    manual: bool = True
    form: FormView = FormView()


class StepRow(Struct, frozen=True, kw_only=True):
    """A line of an order's timeline. `state` ends the key of its text; `amount`: what was refunded, in USD."""

    state: str
    at: dt.datetime
    amount: str = ""


class OrderView(Struct, frozen=True, kw_only=True):
    """One order. `instructions`: Markdown, how to pay; `pay_url`: where, for a provider that has such a page.

    `refunded`: nano-USD in all; `note`: why it was closed; `receipt`: its number once there is one.
    """

    order: OrderRow
    offer: OfferRow
    refunded: int = 0
    steps: tuple[StepRow, ...] = ()
    lapses: dt.datetime | None = None
    waits: bool = False
    instructions: str = ""
    pay_url: str = ""
    note: str = ""
    receipt: str = ""
    form: FormView = FormView()


class ReceiptLine(Struct, frozen=True):
    """What was bought. Decimal strings of USD."""

    title: str
    credits: str
    amount: str


class TaxLine(Struct, frozen=True):
    """A tax as whoever charged it states it."""

    title: str
    amount: str


class RefundLine(Struct, frozen=True):
    """What was given back of the payment, and when."""

    at: dt.datetime
    amount: str


class ReceiptView(Struct, frozen=True, kw_only=True):
    """A receipt as it was issued, and what was refunded since. Decimal strings of USD."""

    number: str
    order: str
    issued: dt.datetime
    paid: dt.datetime
    seller: str
    seller_lines: tuple[str, ...]
    buyer_lines: tuple[str, ...]
    lines: tuple[ReceiptLine, ...]
    total: str
    currency: str
    taxes: tuple[TaxLine, ...] = ()
    refunds: tuple[RefundLine, ...] = ()
    kept: str = ""
