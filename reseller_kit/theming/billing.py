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
    """A part of the credit: where it came from, what is left, for what and until when.

    `daily`: how much of it may be used in a day, of which `left_today`; 0 for all of it.
    """

    kind: str
    amount: int
    left: int
    at: dt.datetime
    expires: dt.datetime | None = None
    models: tuple[str, ...] = ()
    daily: int = 0
    left_today: int = 0


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


SUBSCRIPTION_TONES: Final = {"active": "ok", "past_due": "warn", "paused": "warn", "ended": ""}
"""State of a subscription → the colour of its badge."""


class SubscriptionRow(Struct, frozen=True, kw_only=True):
    """What renews. `until`: the end of what is paid; `ends`: it is not renewed behind that moment.

    `next_title`: what the next period will be, where that is another plan.
    """

    id: str
    title: str
    state: str
    price: int
    credits: int
    period: str
    until: dt.datetime
    ends: dt.datetime | None = None
    next_title: str = ""

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return SUBSCRIPTION_TONES[self.state]


class PlanRow(Struct, frozen=True, kw_only=True):
    """A plan to change to. `terms`: the digest of what is shown; `at_once`: it counts from now on."""

    offer: OfferRow
    terms: str
    at_once: bool = False


class SubscriptionView(Struct, frozen=True, kw_only=True):
    """The page of a subscription. `waiting`: the order of its next period, to be paid; `manual`: it is paid outside."""

    subscription: SubscriptionRow
    offer: OfferRow
    plans: tuple[PlanRow, ...] = ()
    waiting: str = ""
    manual: bool = True
    form: FormView = FormView()


class BillingView(Struct, frozen=True, kw_only=True):
    """The billing page. `may_buy`: the customer is verified and neither suspended nor leaving.

    `manual`: it pays outside, to whoever confirms it; `alerts`: below which amounts (decimal strings of USD) it is told
    that its credit runs low, none meaning parts of its latest purchase.
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
    subscriptions: tuple[SubscriptionRow, ...] = ()
    alerts: tuple[str, ...] = ()
    alerts_saved: bool = False
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


class PreviewRow(Struct, frozen=True, kw_only=True):
    """What somebody in a country pays, in minor units of `currency`; `rate` as a share, such as 0.19."""

    country: str
    currency: str
    subtotal: int
    tax: int
    total: int
    rate: float | None = None


class CheckoutView(Struct, frozen=True, kw_only=True):
    """What is about to be ordered, to be confirmed. `terms` and `request_key` go back with the form.

    `countries`: code and name of those that a price with tax can be asked for; `no_preview`: it was, and nobody knows.
    """

    offer: OfferRow
    price: int
    credits: int
    amount: str
    terms: str
    request_key: str
    manual: bool = True
    form: FormView = FormView()
    countries: tuple[tuple[str, str], ...] = ()
    country: str = ""
    preview: PreviewRow | None = None
    no_preview: bool = False

    @property
    def bonus(self) -> int:
        """What is credited beyond what is paid."""
        return max(self.credits - self.price, 0)


class StepRow(Struct, frozen=True, kw_only=True):
    """A line of an order's timeline. `state` ends the key of its text; `amount`: what was refunded, in USD."""

    state: str
    at: dt.datetime
    amount: str = ""


class RefundView(Struct, frozen=True, kw_only=True):
    """What a customer may expect of a refund. Amounts are nano-USD.

    `standing` ends the key of its text: nothing | open | over | excluded | unstated. `back`: of the payment; `takes`:
    of the credit that is left; `debt`: what of it is spent and would be owed. `pending`: amounts that are on their way,
    with their currency; `case_url`: of the case about the order that is open already.
    """

    standing: str = "nothing"
    until: dt.datetime | None = None
    back: int = 0
    takes: int = 0
    debt: int = 0
    pending: tuple[str, ...] = ()
    case_url: str = ""


class OrderView(Struct, frozen=True, kw_only=True):
    """One order. `instructions`: Markdown, how to pay; `pay_url`: where, for a provider that has such a page.

    `may_open`: its payment page can be opened (anew); `returning`: the customer comes from there, and what was paid is
    not confirmed yet; `again_seconds`: when it makes sense to look again. `invoice_url`: of the
    provider's invoice, `manage_url` of its page for ways to pay and the subscription.
    `manual`: it is paid outside, without tax; `refunded`: nano-USD in all, of the price; `note`: why it was closed;
    `receipt`: its number once there is one.
    """

    order: OrderRow
    offer: OfferRow
    manual: bool = True
    refunded: int = 0
    steps: tuple[StepRow, ...] = ()
    lapses: dt.datetime | None = None
    waits: bool = False
    instructions: str = ""
    pay_url: str = ""
    may_open: bool = False
    returning: bool = False
    again_seconds: int = 0
    invoice_url: str = ""
    manage_url: str = ""
    note: str = ""
    receipt: str = ""
    refund: RefundView = RefundView()
    form: FormView = FormView()


class ReceiptLine(Struct, frozen=True):
    """What was bought. Decimal strings of USD; `daily`: how much of the credit may be used in a day, "" for all."""

    title: str
    credits: str
    amount: str
    daily: str = ""


class TaxLine(Struct, frozen=True):
    """A tax as whoever charged it states it; `title`: its rate, "" where that is not known."""

    title: str
    amount: str


class RefundLine(Struct, frozen=True):
    """What was given back of the payment, and when."""

    at: dt.datetime
    amount: str


class Charged(Struct, frozen=True):
    """What was paid in another currency, in its minor unit, tax of it included."""

    currency: str
    total: int
    tax: int


class ReceiptView(Struct, frozen=True, kw_only=True):
    """A receipt as it was issued, and what was refunded since. Decimal strings of USD.

    `merchant`: a merchant of record took the payment, charged the tax and sent the invoice for it.
    """

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
    merchant: bool = False
    charged: Charged | None = None


class PayView(Struct, frozen=True, kw_only=True):
    """The page that a provider's checkout opens over. `token` is the provider's public one, `script` where its code is.

    `success` is where the checkout leads behind the payment, `fallback` a payment page that needs no script of ours.
    """

    transaction: str
    token: str
    script: str
    sandbox: bool = False
    success: str = ""
    fallback: str = ""
    back: str = ""
