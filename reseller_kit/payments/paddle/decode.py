"""From Paddle's objects to facts. Strict about what is counted, indifferent to what is not known.

A fact of a webhook bears the event's time, one that was asked for the object's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ...core.errors import InvalidRequest
from ...core.payment import (
    Adjustment,
    AdjustmentKind,
    AdjustmentStatus,
    Fact,
    PaidItem,
    Payment,
    PaymentOrigin,
    PaymentStatus,
    Subscription,
    SubscriptionStatus,
    TaxLine,
)
from ...core.times import parse_time
from ..base import Delivery
from . import shapes

ORDER_MEMBER: Final = "order"
"""The member of `custom_data` that holds the signed id of our order."""

ReadOrder = Callable[[str], str | None]
"""A signed order id to the id; None for one that was not made here."""

_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_FINE: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
_MAX_CLAIM: Final = 200

_PAYMENTS: Final[Mapping[str, PaymentStatus]] = {
    "draft": "open",
    "ready": "open",
    "billed": "open",
    "paid": "paid",
    "completed": "completed",
    "past_due": "failed",
    "canceled": "cancelled",
}
_ORIGINS: Final[Mapping[str, PaymentOrigin]] = {
    "api": "purchase",
    "web": "purchase",
    "subscription_recurring": "renewal",
}
_KINDS: Final[Mapping[str, AdjustmentKind]] = {
    "refund": "refund",
    "credit": "credit",
    "chargeback": "chargeback",
    "chargeback_warning": "chargeback_warning",
    "chargeback_reverse": "chargeback_reverse",
}
_ADJUSTMENTS: Final[Mapping[str, AdjustmentStatus]] = {
    "pending_approval": "pending",
    "approved": "approved",
    "rejected": "rejected",
    "reversed": "reversed",
}
_SUBSCRIPTIONS: Final[Mapping[str, SubscriptionStatus]] = {
    "active": "active",
    "trialing": "trialing",
    "past_due": "past_due",
    "paused": "paused",
    "canceled": "cancelled",
    "inactive": "cancelled",
}


def delivery(body: bytes, read_order: ReadOrder) -> Delivery:
    """A webhook's event; without a fact where it tells of nothing that is followed. Raises InvalidRequest."""
    try:
        event = msgspec.json.decode(body, type=shapes.Event)
        fact = _fact_of(event, moment(event.occurred_at), read_order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed("The event") from None
    if len(event.event_type) > 100:
        raise _malformed("The event")
    return Delivery(
        event_id=_ref(event.event_id), kind=event.event_type, occurred_at=moment(event.occurred_at), fact=fact
    )


def _fact_of(event: shapes.Event, at: int, read_order: ReadOrder) -> Fact | None:
    match event.event_type.partition(".")[0]:
        case "transaction":
            return payment(msgspec.json.decode(event.data, type=shapes.Transaction), read_order, at)
        case "adjustment":
            return adjustment(msgspec.json.decode(event.data, type=shapes.Adjustment), at)
        case "subscription":
            return subscription(msgspec.json.decode(event.data, type=shapes.Subscription), read_order, at)
        case _:
            return None


def payment(found: shapes.Transaction, read_order: ReadOrder, at: int | None = None) -> Payment | None:
    """A transaction's state; None in one that is not known. Raises InvalidRequest where it can't be counted on."""
    status = _PAYMENTS.get(found.status)
    if status is None:
        return None
    details = found.details or shapes.Details()
    totals = details.totals
    if totals is None and status in {"paid", "completed"}:
        raise _malformed("The transaction")
    order_id, claimed = _order(found.custom_data, read_order)
    origin = _ORIGINS.get(found.origin or "api", "change")
    return Payment(
        ref=_ref(found.id),
        status=status,
        origin=origin,
        occurred_at=_at(found.updated_at or found.created_at) if at is None else at,
        items=tuple(PaidItem(price_ref=_ref(item.price_ref), quantity=item.quantity) for item in found.items or ()),
        currency=_currency(found.currency_code),
        fee=None if totals is None or totals.fee is None else amount(totals.fee),
        **_amounts(details, netted=origin == "change"),
        order_id=order_id,
        claimed=claimed,
        customer_ref=_optional_ref(found.customer_id),
        subscription_ref=_optional_ref(found.subscription_id),
        period_starts_at=None if found.billing_period is None else moment(found.billing_period.starts_at),
        period_ends_at=None if found.billing_period is None else moment(found.billing_period.ends_at),
        billed_at=_billed_at(found, origin),
        invoice_ref=_optional_ref(found.invoice_id),
    )


def _billed_at(found: shapes.Transaction, origin: PaymentOrigin) -> int | None:
    return moment(found.billed_at) if origin == "renewal" and not found.billing_period and found.billed_at else None


def _amounts(details: shapes.Details, *, netted: bool) -> dict[str, Any]:
    """What was taken, and the tax in it; `netted`: without what the rest of a smaller plan paid of it.

    That credit is gross, so it takes the same share of each amount. Rounded so that the parts sum to the total.
    """
    totals = details.totals
    if totals is None:
        return {"subtotal": 0}
    whole = amount(totals.total)
    credit = amount(totals.credit) if netted and totals.credit is not None else 0
    taken = whole - min(credit, whole) if credit > 0 else whole

    def share(minor: int) -> int:
        return minor if taken == whole else minor * taken // whole

    tax = share(amount(totals.tax or "0"))
    discount = share(amount(totals.discount or "0"))
    lines, before, so_far = [], 0, 0
    for line in details.tax_rates_used or ():
        before += amount(line.totals.tax or "0")
        lines.append(TaxLine(rate=line.tax_rate[:20], minor=share(before) - so_far))
        so_far = share(before)
    subtotal = amount(totals.subtotal) if taken == whole else taken - tax + discount
    return {"subtotal": subtotal, "discount": discount, "tax": tax, "total": taken, "tax_lines": tuple(lines)}


def adjustment(found: shapes.Adjustment, at: int | None = None) -> Adjustment | None:
    """An adjustment's state; None for one of a kind, or in a state, that nothing follows from."""
    kind, status = _KINDS.get(found.action), _ADJUSTMENTS.get(found.status)
    if kind is None or status is None:
        return None
    return Adjustment(
        ref=_ref(found.id),
        payment_ref=_ref(found.transaction_id),
        kind=kind,
        status=status,
        occurred_at=_at(found.updated_at or found.created_at) if at is None else at,
        currency=_currency(found.currency_code),
        total=abs(amount(found.totals.total)),
        created_at=moment(found.created_at) if found.created_at else 0,
        reason=(found.reason or "")[:500],
    )


def subscription(found: shapes.Subscription, read_order: ReadOrder, at: int | None = None) -> Subscription | None:
    """A subscription's state; None in one that is not known, or for one of several prices."""
    status, items = _SUBSCRIPTIONS.get(found.status), found.items or ()
    if status is None or len(items) != 1:
        return None
    change, period = found.scheduled_change, found.current_billing_period
    ends = change.effective_at if change is not None and change.action == "cancel" else found.canceled_at
    return Subscription(
        ref=_ref(found.id),
        status=status,
        occurred_at=_at(found.updated_at or found.created_at) if at is None else at,
        price_ref=_ref(items[0].price_ref),
        quantity=items[0].quantity,
        order_id=_order(found.custom_data, read_order)[0],
        payment_ref=_optional_ref(found.transaction_id),
        customer_ref=_optional_ref(found.customer_id),
        period_starts_at=None if period is None else moment(period.starts_at),
        period_ends_at=None if period is None else moment(period.ends_at),
        cancel_at=None if ends is None else moment(ends),
    )


def amount(text: str) -> int:
    """Minor units. Raises InvalidRequest for anything but a whole number."""
    if not _AMOUNT.fullmatch(text):
        raise _malformed("An amount")
    return int(text)


def moment(text: str) -> int:
    """A time in µs; what is finer is left out."""
    return parse_time(_FINE.sub(r"\1", text[:40]))


def _at(text: str | None) -> int:
    if not text:
        raise _malformed("A time")
    return moment(text)


def _order(custom_data: Any, read_order: ReadOrder) -> tuple[str | None, str | None]:
    """(our order, what stood there where that is none of ours)."""
    claimed = custom_data.get(ORDER_MEMBER) if isinstance(custom_data, dict) else None
    if not isinstance(claimed, str) or not claimed:
        return None, None
    order_id = read_order(claimed)
    return order_id, None if order_id is not None else claimed[:_MAX_CLAIM]


def usable_ref(text: str) -> bool:
    """Whether a text can be the name of one of the provider's objects."""
    return _REF.fullmatch(text) is not None


def _ref(text: str) -> str:
    if not usable_ref(text):
        raise _malformed("An id")
    return text


def _optional_ref(text: str | None) -> str | None:
    return None if not text else _ref(text)


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise _malformed("A currency")
    return text


def _malformed(what: str) -> InvalidRequest:
    return InvalidRequest(f"{what} is not in a form that is understood.")
