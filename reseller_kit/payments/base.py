"""What a way to be paid offers. Each module or package beside this one is one provider.

Flows know these shapes alone. A provider answers with states of its objects (`core.payment`), whether they came by
webhook or by asking; it grants nothing and knows no order's state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from ..core.payment import Adjustment, Fact, Pin, Subscription


class CatalogueItem(Struct, frozen=True, kw_only=True):
    """Something that is sold, at one immutable version of it: `key` is its name for ever.

    `price_nano` is nano-USD before tax, None where the customer chooses the amount.
    """

    key: str
    title: str
    price_nano: int | None
    period: str = ""


class CatalogueRef(Struct, frozen=True, kw_only=True):
    """What the provider calls it. Without `price_ref` each purchase makes a price of its own."""

    product_ref: str
    price_ref: str | None


class Preview(Struct, frozen=True, kw_only=True):
    """What a buyer in a country pays, in minor units of `currency`: `subtotal` before tax, `total` with it."""

    currency: str
    subtotal: int
    tax: int
    total: int
    tax_rate: str = ""


class Purchase(Struct, frozen=True, kw_only=True):
    """What a customer is to pay for. `price_nano` is nano-USD before tax; `reference` is our order's id.

    `package` and `version` name what is bought; `period` (month, year, …) is there for what renews. `return_url` is the
    page of the order, where the customer comes back to. `item` is the provider's name of it, if `Catalogue` made one.
    """

    reference: str
    title: str
    price_nano: int
    email: str
    package: str = ""
    version: int = 0
    period: str = ""
    return_url: str = ""
    customer_id: str = ""
    item: CatalogueRef | None = None


class Checkout(Struct, frozen=True, kw_only=True):
    """A checkout that was opened: where the customer pays, and what the provider calls it.

    Without `url` the customer pays outside (bank transfer, cash) and somebody confirms it. `lapses_seconds` is how long
    it can be paid. `pin` is what a payment has to agree with; None where nothing but somebody's word comes back.
    """

    lapses_seconds: int
    url: str | None = None
    provider_ref: str | None = None
    pin: Pin | None = None
    facts: dict[str, Any] = {}


class Delivery(Struct, frozen=True, kw_only=True):
    """What came by webhook, its signature verified. `event_id` is the same however often it is delivered.

    `fact` is None for an event that says nothing of money.
    """

    event_id: str
    kind: str
    occurred_at: int
    fact: Fact | None


class RefundWanted(Struct, frozen=True, kw_only=True):
    """A payment to give back, or `minor` units of it, gross, in the currency that it was made in; None for all of it.

    `reference` names this refund for ever: asked twice under it, a provider gives back once. `paid` and `currency` are
    the payment's own, gross.
    """

    reference: str
    payment_ref: str
    reason: str
    minor: int | None = None
    paid: int = 0
    currency: str = "USD"


@runtime_checkable
class Provider(Protocol):
    """A way to be paid.

    Every method but `verify` may raise ServiceUnavailable when the provider does not answer, and InvalidRequest with
    its reason when it refuses.
    """

    @property
    def name(self) -> str:
        """Its name in tenants.toml and on orders."""

    def pin(self, purchase: Purchase) -> Pin | None:
        """What a payment will have to agree with, before anybody is asked; without a price where none is known yet.

        None where nothing but somebody's word comes back.
        """

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        """Begin a payment. Asked again for the same purchase it may open another one; only one is paid."""

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:
        """A webhook's delivery by its raw bytes; headers in lower case, `now` in µs. Raises InvalidRequest.

        Raises NotFound where the provider sends none.
        """

    def is_sure(self, fact: Fact) -> bool:
        """Whether a fact is the tenant's own without a further look.

        In an account of its own all are. Where others are paid through it too, those are that the tenant signed; the
        rest is its own if it belongs to something that it knows.
        """

    def facts(self, since: int) -> AsyncIterator[Fact]:
        """The state of every object that changed since (µs), by asking; what webhooks would have told, and no less."""

    async def fact(self, payment_ref: str) -> Fact | None:
        """The state of one payment, by asking; None for one that it does not know."""

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        """Give money back; the state of that, which may be pending for days."""


@runtime_checkable
class Catalogue(Protocol):
    """A provider that knows what is sold before it is bought."""

    def synchronise(self, items: Sequence[CatalogueItem]) -> AsyncIterator[tuple[CatalogueItem, CatalogueRef]]:
        """Make what is missing there, and yield each item once it stands. Repeating it makes nothing twice."""

    async def withdraw(self, ref: CatalogueRef) -> None:
        """Sell it no longer. Payments of it that are under way stay valid."""


@runtime_checkable
class Previews(Protocol):
    """A provider that knows taxes and other currencies."""

    async def preview(self, purchase: Purchase, country: str) -> Preview:
        """What somebody in a country (ISO 3166, two letters) pays."""


@runtime_checkable
class SelfService(Protocol):
    """A provider at which customers look after their invoices, subscriptions and ways to pay."""

    async def invoice_url(self, payment_ref: str) -> str | None:
        """A short-lived link to a payment's invoice; None while there is none."""

    async def portal_url(self, customer_ref: str, subscription_ref: str | None = None) -> str:
        """A short-lived link, signed in, to the customer's own page; of one subscription where that is given."""


@runtime_checkable
class Checked(Protocol):
    """A provider whose set-up can be tried."""

    async def check(self) -> None:
        """Ask it something that needs the credentials. Raises as every method does."""

    async def domains(self) -> dict[str, str] | None:
        """Hosts that a checkout may open on → approved, pending or rejected; None where it does not tell."""


@runtime_checkable
class Renewing(Protocol):
    """What a provider offers besides that renews subscriptions by itself; for the others an order is placed a period.

    Each method asks for a change and answers with the subscription as it is behind it. They raise as `Provider` does.
    """

    async def cancel_subscription(self, subscription_ref: str) -> Subscription:
        """End it with the period that is paid."""

    async def resume_subscription(self, subscription_ref: str) -> Subscription:
        """Take a cancellation back that has not taken effect."""

    async def change_subscription(self, subscription_ref: str, purchase: Purchase, *, at_once: bool) -> Subscription:
        """Go on with what `purchase` names: at once and prorated by the provider, or billed from the next period on."""
