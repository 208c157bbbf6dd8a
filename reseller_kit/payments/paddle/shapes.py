"""Paddle's objects as they come, as far as they matter here; members that are not named are passed over.

A member with a default may be missing or null. What is not counted on is not required.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Period(Struct, frozen=True):
    """A billing period."""

    starts_at: str
    ends_at: str


class Price(Struct, frozen=True, kw_only=True):
    """A price, of the catalogue or made for one transaction."""

    id: str | None = None
    product_id: str | None = None
    status: str | None = "active"
    custom_data: Any = None


class Item(Struct, frozen=True, kw_only=True):
    """What is bought."""

    quantity: int
    price: Price | None = None
    price_id: str | None = None

    @property
    def price_ref(self) -> str:
        """The id of its price."""
        return (self.price.id if self.price is not None else None) or self.price_id or ""


class Totals(Struct, frozen=True, kw_only=True):
    """Amounts in minor units, as texts.

    `fee` is the provider's own, known once it is paid; `credit` is what of the total was taken before.
    """

    subtotal: str
    discount: str | None = None
    tax: str | None = None
    total: str
    credit: str | None = None
    fee: str | None = None


class RateTotals(Struct, frozen=True):
    """What a tax rate came to."""

    tax: str | None = None


class RateUsed(Struct, frozen=True):
    """A tax rate with what it came to."""

    tax_rate: str
    totals: RateTotals


class LineItem(Struct, frozen=True, kw_only=True):
    """A line of a transaction; `id` is what a refund of it names."""

    id: str | None = None


class Details(Struct, frozen=True, kw_only=True):
    """What a transaction comes to."""

    totals: Totals | None = None
    tax_rates_used: tuple[RateUsed, ...] | None = None
    line_items: tuple[LineItem, ...] | None = None


class CheckoutPage(Struct, frozen=True):
    """Where a transaction is paid."""

    url: str | None = None


class Transaction(Struct, frozen=True, kw_only=True):
    """A transaction."""

    id: str
    status: str
    currency_code: str
    origin: str | None = None
    items: tuple[Item, ...] | None = None
    details: Details | None = None
    custom_data: Any = None
    customer_id: str | None = None
    subscription_id: str | None = None
    invoice_id: str | None = None
    billing_period: Period | None = None
    billed_at: str | None = None
    checkout: CheckoutPage | None = None
    created_at: str | None = None
    updated_at: str | None = None


class AdjustmentTotals(Struct, frozen=True):
    """What an adjustment comes to, gross."""

    total: str


class Adjustment(Struct, frozen=True, kw_only=True):
    """A refund, a credit or a chargeback."""

    id: str
    action: str
    transaction_id: str
    status: str
    currency_code: str
    totals: AdjustmentTotals
    reason: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class ScheduledChange(Struct, frozen=True):
    """What a subscription will become."""

    action: str
    effective_at: str


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription."""

    id: str
    status: str
    items: tuple[Item, ...] | None = None
    custom_data: Any = None
    customer_id: str | None = None
    current_billing_period: Period | None = None
    transaction_id: str | None = None
    scheduled_change: ScheduledChange | None = None
    canceled_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """What a webhook brings."""

    event_id: str
    event_type: str
    occurred_at: str
    data: msgspec.Raw


class Named(Struct, frozen=True):
    """Any object, by its id alone."""

    id: str


class Link(Struct, frozen=True):
    """A link to a document."""

    url: str
