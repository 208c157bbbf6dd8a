"""Facts and orders as rows and back. Reads and writes nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.payment import Adjustment, Fact, PaidItem, Payment, Pin, Subscription
from ...core.settlement import Agreed, Decision, Known
from ...db.orders import Order
from ...db.payment_facts import FactRow, NewFact

NANO_PER_CENT: Final = 10_000_000
_KINDS: Final[dict[str, type[Payment | Adjustment | Subscription]]] = {
    "payment": Payment,
    "adjustment": Adjustment,
    "subscription": Subscription,
}


def fact_row(provider: str, fact: Fact) -> NewFact:
    """A fact as it is stored."""
    kind = next(name for name, shape in _KINDS.items() if isinstance(fact, shape))
    payment_ref = fact.payment_ref if isinstance(fact, Adjustment) else None
    subscription = fact.subscription_ref if isinstance(fact, Payment) else None
    return NewFact(
        provider=provider,
        kind=kind,
        ref=fact.ref,
        status=fact.status,
        state=msgspec.to_builtins(fact),
        occurred_at=fact.occurred_at,
        payment_ref=payment_ref,
        subscription_ref=fact.ref if isinstance(fact, Subscription) else subscription,
    )


def fact_of(row: FactRow) -> Fact:
    """A stored fact."""
    return msgspec.convert(row.state, _KINDS[row.kind])


def told(fact: Fact) -> dict[str, Any]:
    """A fact with its kind, as the inbox keeps it."""
    kind = next(name for name, shape in _KINDS.items() if isinstance(fact, shape))
    return {"kind": kind, "fact": msgspec.to_builtins(fact)}


def heard(document: dict[str, Any]) -> Fact:
    """What `told` wrote."""
    return msgspec.convert(document["fact"], _KINDS[document["kind"]])


def payments_of(rows: list[FactRow]) -> list[Known]:
    """The payments among an order's facts."""
    found = []
    for row in rows:
        fact = fact_of(row)
        if isinstance(fact, Payment):
            decision: Decision = msgspec.convert(row.decision, Decision)
            found.append(Known(provider=row.provider, payment=fact, decision=decision))
    return found


def adjustments_of(rows: list[FactRow]) -> list[Adjustment]:
    """What went back, among an order's facts."""
    facts = (fact_of(row) for row in rows)
    return [fact for fact in facts if isinstance(fact, Adjustment)]


def agreed_of(order: Order, ended_at: int | None) -> Agreed:
    """What the order says of its payment; `ended_at`: the end of the subscription that it is a period of."""
    return Agreed(
        order_id=order.id,
        provider=order.provider,
        pin=pin_of(order),
        given_up=order.cancelled_at is not None,
        ended_at=ended_at,
    )


def pin_of(order: Order) -> Pin:
    """What a payment has to agree with.

    An order that was never told what its provider calls the price, because its process died in between, is held to its
    own amount.
    """
    kept = order.provider_facts.get("pin")
    if kept is not None:
        return msgspec.convert(kept, Pin)
    price_ref = order.package if order.provider == "manual" else ""
    return Pin(price_ref=price_ref, currency="USD", subtotal=cents(order.price_nano))


def cents(nano: int) -> int:
    """Nano-USD in whole cents, rounded up: what is asked for."""
    return -(-nano // NANO_PER_CENT)


def manual_payment(order: Order, now: int) -> Payment:
    """Somebody's word that an order was paid outside."""
    amount = cents(order.price_nano)
    return Payment(
        ref=order.id,
        status="completed",
        origin="purchase",
        occurred_at=now,
        items=(PaidItem(price_ref=order.package, quantity=1),),
        currency="USD",
        subtotal=amount,
        total=amount,
        order_id=order.id,
    )
