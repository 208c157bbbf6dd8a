"""An order's states and the one function that moves between them. Knows no provider and moves no money.

    draft → checkout_open → paid → activated → partially_refunded → refunded
                 ├→ cancelled, lapsed          └→ charged_back ⇄ what it was before
                 └→ review, duplicate_paid → paid | refunded            paid → activation_failed → activated

What a customer paid is never lost: money that arrives for an order that was given up is `review`, a second payment is
`duplicate_paid`, and both end when somebody credits or refunds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from .errors import Conflict

OrderState = Literal[
    "draft",
    "checkout_open",
    "paid",
    "activated",
    "partially_refunded",
    "refunded",
    "charged_back",
    "activation_failed",
    "review",
    "duplicate_paid",
    "cancelled",
    "lapsed",
]
OrderEvent = Literal[
    "open",
    "pay",
    "question",
    "duplicate",
    "activate",
    "fail",
    "refund_part",
    "refund",
    "charge_back",
    "reinstate",
    "cancel",
    "lapse",
]
STATES: Final = get_args(OrderState)
UNPAID: Final = frozenset({"draft", "checkout_open"})
"""Nothing has been paid, and something still may be."""
GIVEN_UP: Final = frozenset({"cancelled", "lapsed"})
"""Closed without a payment."""
CREDITED: Final = frozenset({"activated", "partially_refunded", "refunded", "charged_back"})
"""The credit was granted once; what refunds took of it is the ledger's."""

_CHANGES: Final[Mapping[str, Mapping[str, OrderState]]] = {
    # A process may die between its provider's answer and its own note of it: paid, though it seems never opened.
    "draft": {
        "open": "checkout_open",
        "pay": "paid",
        "question": "review",
        "cancel": "cancelled",
        "lapse": "lapsed",
    },
    "checkout_open": {
        "pay": "paid",
        "question": "review",
        "duplicate": "duplicate_paid",
        "cancel": "cancelled",
        "lapse": "lapsed",
    },
    "paid": {"activate": "activated", "fail": "activation_failed"},
    "activation_failed": {"activate": "activated", "refund": "refunded"},
    "activated": {"refund_part": "partially_refunded", "refund": "refunded", "charge_back": "charged_back"},
    "partially_refunded": {
        "refund_part": "partially_refunded",
        "refund": "refunded",
        "charge_back": "charged_back",
        "reinstate": "activated",
    },
    "refunded": {"charge_back": "charged_back", "reinstate": "activated", "refund_part": "partially_refunded"},
    "charged_back": {"reinstate": "activated", "refund_part": "partially_refunded", "refund": "refunded"},
    "review": {"pay": "paid", "refund": "refunded", "cancel": "cancelled"},
    "duplicate_paid": {"pay": "paid", "refund": "refunded"},
    # Paid after all: the money is there, and somebody has to look whether it still buys what it was meant for.
    "cancelled": {"pay": "review", "question": "review", "duplicate": "duplicate_paid"},
    "lapsed": {"pay": "paid", "question": "review", "duplicate": "duplicate_paid"},
}

_NEVER_CREDITED: Final[Mapping[str, Mapping[str, OrderState]]] = {
    # The money is back at ours after all, and nothing was given for it: somebody has to look.
    "refunded": {"charge_back": "charged_back", "reinstate": "review", "refund_part": "review"},
    "charged_back": {"reinstate": "review", "refund_part": "review", "refund": "refunded"},
}


class Transition(Struct, frozen=True):
    """A change that an event makes."""

    event: OrderEvent
    before: OrderState
    after: OrderState


def transition(state: OrderState, event: OrderEvent, *, credited: bool = False) -> Transition:
    """What the event makes of an order in this state; `credited` whether its credit was ever granted.

    Raises Conflict where it makes no sense.
    """
    after = _of(state, credited=credited).get(event)
    if after is None:
        raise Conflict(f"An order that is {shown(state)} cannot {_VERBS[event]}.", fix="Look at its timeline first.")
    return Transition(event, state, after)


def allowed(state: OrderState, *, credited: bool = False) -> frozenset[str]:
    """The events that an order in this state can meet."""
    return frozenset(_of(state, credited=credited))


def refund_event(paid: int, refunded: int) -> OrderEvent:
    """The event that brings an order to what of its payment is refunded in all, both in one unit."""
    if refunded <= 0:
        return "reinstate"
    return "refund" if refunded >= paid else "refund_part"


def _of(state: OrderState, *, credited: bool) -> Mapping[str, OrderState]:
    return _CHANGES[state] if credited or state not in _NEVER_CREDITED else _NEVER_CREDITED[state]


def shown(state: OrderState) -> str:
    """A state in words."""
    return state.replace("_", " ")


_VERBS: Final[Mapping[OrderEvent, str]] = {
    "open": "be opened for payment",
    "pay": "be paid",
    "question": "be put to review",
    "duplicate": "be marked as paid twice",
    "activate": "be credited",
    "fail": "fail to be credited",
    "refund_part": "be refunded in part",
    "refund": "be refunded",
    "charge_back": "be charged back",
    "reinstate": "be reinstated",
    "cancel": "be cancelled",
    "lapse": "lapse",
}
