"""What a payment provider tells of a payment, in one form for all of them, and whether it is what was ordered.

A fact is the state of one of the provider's objects at a moment, never a step: whichever of two facts of an object is
later holds, in whatever order and however often they arrive. Knows no provider and moves no money.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

PROVIDER_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
"""What a provider may be called, in tenants.toml and in the path of its webhooks."""
PaymentStatus = Literal["open", "paid", "completed", "failed", "cancelled"]
"""`paid`: the money is taken and the provider is not done yet; only `completed` is credited."""
PaymentOrigin = Literal["purchase", "renewal", "change"]
"""`change` is neither a purchase nor a renewal: what a larger plan costs for the rest of a period, or another payment
method.
"""
AdjustmentKind = Literal["refund", "chargeback", "chargeback_warning", "chargeback_reverse", "credit"]
AdjustmentStatus = Literal["pending", "approved", "rejected", "reversed"]
SubscriptionStatus = Literal["active", "trialing", "past_due", "paused", "cancelled"]


class PaidItem(Struct, frozen=True, kw_only=True):
    """A line of a payment: the provider's name of the price, and how many."""

    price_ref: str
    quantity: int


class TaxLine(Struct, frozen=True, kw_only=True):
    """Tax as the provider reported it: `rate` as it spells it (`"0.19"`), `minor` in minor units."""

    rate: str
    minor: int


class Payment(Struct, frozen=True, kw_only=True):
    """The state of one payment. Amounts are integers in the minor unit of `currency`.

    `order_id` is the order whose signed reference came back with it, None where there was none or its signature is
    wrong; `claimed` is then what stood there. `subtotal` is before tax and after nothing else: what was agreed on.
    `tax`, `fee` and `total` are recorded and never compared. What the unused rest of a smaller plan pays of a `change`
    is in none of its amounts: that was taken before. Moments are µs; `billed_at` is of a renewal that names no period.
    """

    ref: str
    status: PaymentStatus
    origin: PaymentOrigin
    occurred_at: int
    items: tuple[PaidItem, ...]
    currency: str
    subtotal: int
    discount: int = 0
    tax: int = 0
    fee: int | None = None
    total: int = 0
    tax_lines: tuple[TaxLine, ...] = ()
    order_id: str | None = None
    claimed: str | None = None
    customer_ref: str | None = None
    subscription_ref: str | None = None
    period_starts_at: int | None = None
    period_ends_at: int | None = None
    billed_at: int | None = None
    invoice_ref: str | None = None

    @property
    def begins_at(self) -> int:
        """When what it renews begins: its period, else when it was billed, as far as that is told."""
        return self.period_starts_at or self.billed_at or self.occurred_at


class Adjustment(Struct, frozen=True, kw_only=True):
    """The state of money that went back, or is asked back: gross, in the minor unit of `currency`."""

    ref: str
    payment_ref: str
    kind: AdjustmentKind
    status: AdjustmentStatus
    occurred_at: int
    currency: str
    total: int
    created_at: int = 0
    reason: str = ""


class Subscription(Struct, frozen=True, kw_only=True):
    """The state of a subscription. `order_id` as in `Payment`; `cancel_at`: it ends then, None while it goes on.

    `payment_ref`: the payment that it began with, which is told once.
    """

    ref: str
    status: SubscriptionStatus
    occurred_at: int
    price_ref: str
    quantity: int
    order_id: str | None = None
    payment_ref: str | None = None
    customer_ref: str | None = None
    period_starts_at: int | None = None
    period_ends_at: int | None = None
    cancel_at: int | None = None


Fact = Payment | Adjustment | Subscription


class Pin(Struct, frozen=True, kw_only=True):
    """What an order was opened with at its provider, and what a payment has to agree with to be credited.

    `price_ref` is "" where the order never heard its provider's name of the price: one item of the right amount then
    does. `subtotal` is None for a change of plan within a period, whose amount is the provider's arithmetic.
    """

    price_ref: str
    currency: str
    subtotal: int | None


def differences(pin: Pin, payment: Payment) -> tuple[str, ...]:
    """In what a payment is not what was ordered, in words; nothing where it is. Tax and fees are not looked at."""
    found = []
    if len(payment.items) != 1 or pin.price_ref not in {"", payment.items[0].price_ref}:
        found.append("another price was paid than the one ordered")
    if any(item.quantity != 1 for item in payment.items):
        found.append("the quantity is not 1")
    if payment.currency != pin.currency:
        found.append(f"paid in {payment.currency}, ordered in {pin.currency}")
    elif pin.subtotal is not None and payment.subtotal - payment.discount != pin.subtotal:
        found.append(f"{payment.subtotal - payment.discount} minor units were paid before tax, {pin.subtotal} ordered")
    return tuple(found)
