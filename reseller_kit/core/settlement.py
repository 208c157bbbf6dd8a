"""Where an order has to end, as a function of all that is known of its payments. Knows no provider, moves no money.

What is known of one of a provider's objects only grows (`joined`), and `target` looks at the whole set: facts may come
in any order and as often as they like, and the end is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from .order import CREDITED, OrderEvent, OrderState
from .payment import Adjustment, Fact, Payment, Pin, Subscription, differences

Decision = Literal["", "accepted", "dismissed"]
"""What somebody decided on a payment that was in question: it buys what was ordered, or it is no payment of it."""

_F = TypeVar("_F", Payment, Adjustment, Subscription)
_ADJUSTED: Final = {"pending": 0, "approved": 1, "rejected": 1, "reversed": 2}
_NANO_PER_CENT: Final = 10_000_000
_TWICE: Final = "the order was paid a second time"


class Agreed(Struct, frozen=True, kw_only=True):
    """What an order says of its payment. `given_up`: it was cancelled before it was paid.

    `ended_at` (µs): the subscription that it is a period of ends then, or did; None while nothing is known of an end.
    """

    order_id: str
    provider: str
    pin: Pin
    given_up: bool = False
    ended_at: int | None = None

    @property
    def changes(self) -> bool:
        """Whether it is what a larger plan adds within a period."""
        return self.pin.subtotal is None


class Known(Struct, frozen=True, kw_only=True):
    """A payment as its provider told of it last, and what somebody decided on it."""

    provider: str
    payment: Payment
    decision: Decision = ""


class Gone(Struct, frozen=True, kw_only=True):
    """What of one payment went back, in its minor unit: `refunded`, and `charged_back` by a chargeback that stands."""

    refunded: int = 0
    charged_back: int = 0
    pending: tuple[Adjustment, ...] = ()
    foreign: bool = False
    """Something of it is in another currency, which can't be set against the payment."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.refunded + self.charged_back


class Target(Struct, frozen=True, kw_only=True):
    """Where an order has to end.

    `kept` is the payment that its credit stands for, `gone` what of that went back. `questions`: (provider, ref, words)
    of each other payment that somebody has to look at; `returned`: money came that credits nothing, and all of it has
    gone back.
    """

    kept: Known | None = None
    gone: Gone = Gone()
    questions: tuple[tuple[str, str, str], ...] = ()
    returned: bool = False

    @property
    def paid(self) -> int:
        """Gross, in the minor unit of the payment's currency."""
        return 0 if self.kept is None else self.kept.payment.total

    @property
    def refunded(self) -> int:
        """What went back of it, at most all."""
        return min(self.paid, self.gone.total)


def joined(one: _F, other: _F) -> _F:
    """What is known after both: the same whichever came first, and however often. They are states of one object."""
    newest, older = (one, other) if _newness(one) >= _newness(other) else (other, one)
    if isinstance(newest, Subscription):
        return msgspec.structs.replace(newest, payment_ref=newest.payment_ref or older.payment_ref)
    return newest


def same_but_time(one: Fact, other: Fact) -> bool:
    """Whether two states tell the same, though at different moments."""
    return msgspec.structs.replace(one, occurred_at=0) == msgspec.structs.replace(other, occurred_at=0)


def _newness(fact: Fact) -> tuple[int, int, bytes]:
    """Orders all states of an object: a completed payment and a decided refund stay that, else the later one holds."""
    final = 0
    if isinstance(fact, Payment):
        final = fact.status == "completed"
    elif isinstance(fact, Adjustment):
        final = _ADJUSTED[fact.status]
    return final, fact.occurred_at, msgspec.json.encode(fact, order="deterministic")


def gone_of(payment: Payment, adjustments: Iterable[Adjustment]) -> Gone:
    """What of a payment went back.

    A warning of a chargeback moves nothing, and what is credited for the rest of a period that goes on as a larger plan
    stays with the provider, for that plan.
    """
    own = [one for one in adjustments if one.payment_ref == payment.ref and one.kind != "chargeback_warning"]
    fit = [one for one in own if one.currency == payment.currency]
    refunded = sum(one.total for one in fit if one.status == "approved" and _is_refund(one))
    taken = sum(one.total for one in fit if one.kind == "chargeback" and one.status in {"approved", "reversed"})
    # A provider may tell of a reversal as the chargeback's own state, as something of its own, or both.
    by_state = sum(one.total for one in fit if one.kind == "chargeback" and one.status == "reversed")
    by_itself = sum(one.total for one in fit if one.kind == "chargeback_reverse" and one.status == "approved")
    refunded = min(refunded, payment.total)
    standing = max(0, taken - max(by_state, by_itself))
    return Gone(
        refunded=refunded,
        charged_back=min(standing, payment.total - refunded) if payment.total else standing,
        pending=tuple(one for one in fit if one.kind == "refund" and one.status == "pending"),
        foreign=len(fit) < len(own),
    )


def _is_refund(one: Adjustment) -> bool:
    return one.kind == "refund" or (one.kind == "credit" and one.reason != "subscription_update")


def doubts(agreed: Agreed, known: Known) -> tuple[str, ...]:
    """Why a completed payment does not buy what was ordered, in words; nothing where it does or somebody said so."""
    if known.decision == "accepted":
        return ()
    payment = known.payment
    found = list(differences(agreed.pin, payment))
    if known.provider != agreed.provider:
        found.append("it was paid in another way than was ordered")
    if payment.origin == "renewal" and agreed.ended_at is not None and payment.begins_at >= agreed.ended_at:
        found.append("it renews a subscription that had ended")
    elif payment.origin == "renewal" or (payment.origin == "change" and agreed.changes):
        pass  # It bears the reference of the order that it renews or enlarges, which is how this one came to be.
    elif payment.origin == "change" or agreed.changes:
        found.append("it is no payment of that kind")
    elif payment.order_id is None:
        found.append("its reference to the order is not ours" if payment.claimed else "it bears no reference")
    elif payment.order_id != agreed.order_id:
        found.append("it names another order")
    if agreed.given_up:
        found.append("the order had been cancelled before")
    return tuple(found)


def target(agreed: Agreed, payments: Iterable[Known], adjustments: Sequence[Adjustment]) -> Target:
    """Where the order has to end by all that is known, whatever came first.

    Of several payments that fit, the order keeps the one of which the least went back, the earliest of those.
    """
    completed = [one for one in payments if one.payment.status == "completed" and one.decision != "dismissed"]
    gone = {_name(one): gone_of(one.payment, adjustments) for one in completed}
    fitting = [one for one in completed if not doubts(agreed, one)]
    kept = min(fitting, key=_least_gone(gone), default=None)
    questions = []
    for one in sorted(completed, key=_name):
        words = "; ".join(_words(agreed, one, kept, gone[_name(one)]))
        if words:
            questions.append((*_name(one), words))
    return Target(
        kept=kept,
        gone=Gone() if kept is None else gone[_name(kept)],
        questions=tuple(questions),
        returned=kept is None and bool(completed) and not questions,
    )


def _words(agreed: Agreed, one: Known, kept: Known | None, gone: Gone) -> tuple[str, ...]:
    foreign = ("something of it went back in another currency",) if gone.foreign else ()
    if one == kept:
        return foreign
    if one.payment.total and gone.total >= one.payment.total:
        return ()
    return (*doubts(agreed, one), *([_TWICE] if kept is not None else []), *foreign)


def _least_gone(gone: dict[tuple[str, str], Gone]) -> Callable[[Known], tuple[Fraction, int, tuple[str, str]]]:
    def order(one: Known) -> tuple[Fraction, int, tuple[str, str]]:
        share = Fraction(gone[_name(one)].total, one.payment.total) if one.payment.total else Fraction(0)
        return share, one.payment.occurred_at, _name(one)

    return order


def _name(one: Known) -> tuple[str, str]:
    return one.provider, one.payment.ref


def before_credit(state: OrderState, wanted: Target, *, credited: bool) -> tuple[OrderEvent, ...]:
    """The events that bring an order to where its credit is granted, or to whoever has to look at it."""
    if credited or state in {"paid", "activation_failed"}:
        return ()
    given_back = wanted.paid > 0 and wanted.refunded >= wanted.paid
    if wanted.kept is not None:
        if state == "cancelled":
            return "pay", "pay"
        if state == "refunded":
            return () if given_back else ("reinstate", "pay")
        return ("pay",)
    if wanted.questions:
        if state == "refunded":
            return ("reinstate",)
        return () if state in {"review", "duplicate_paid"} else ("question",)
    if wanted.returned and state != "refunded":
        return ("refund",) if state in {"review", "duplicate_paid"} else ("question", "refund")
    return ()


def after_credit(state: OrderState, wanted: Target, *, credited: bool) -> OrderEvent | None:
    """The event that brings an order to what went back of its payment; None where it is there."""
    if not credited:
        failed = state == "activation_failed" and wanted.paid > 0 and wanted.refunded >= wanted.paid
        return "refund" if failed else None
    if wanted.kept is None or state not in CREDITED:
        return None
    place, event = _place(wanted)
    return None if state == place else event


def _place(wanted: Target) -> tuple[OrderState, OrderEvent]:
    if wanted.gone.charged_back:
        return "charged_back", "charge_back"
    if not wanted.refunded:
        return "activated", "reinstate"
    if wanted.refunded >= wanted.paid:
        return "refunded", "refund"
    return "partially_refunded", "refund_part"


def left_of(payment: Payment, gone: Gone, asked: int = 0) -> int:
    """What of a payment can still be given back, in its minor unit; `asked`: refunds that no provider knows yet."""
    return max(0, payment.total - gone.total - sum(one.total for one in gone.pending) - asked)


def net_cash(payment: Payment, price_nano: int) -> int:
    """What of a price (nano-USD) is left of its payment behind discount, tax and the provider's fee, rounded down.

    Never more than was paid, whatever somebody accepted it for; nothing of another currency, whose rate nobody knows.
    """
    before_tax = payment.subtotal - payment.discount
    if before_tax <= 0 or payment.currency != "USD":
        return 0
    paid = min(price_nano, before_tax * _NANO_PER_CENT)
    return paid * max(0, before_tax - (payment.fee or 0)) // before_tax
