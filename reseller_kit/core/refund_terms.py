"""What a customer may expect of a refund, by the terms that stood on the page. Gives nothing back."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from .order import CREDITED, OrderState
from .times import DAY_US

Standing = Literal["nothing", "open", "over", "excluded", "unstated"]
"""`open`: within the days of the terms; `over`: behind them; `excluded`: the terms give nothing back; `unstated`."""


class Bought(Struct, frozen=True, kw_only=True):
    """An order with its lot as it stands. Nano-USD; `free`: what is neither spent, held nor run out; times in µs."""

    state: OrderState
    terms: dict[str, Any]
    paid_at: int | None
    price: int
    refunded: int
    credits: int = 0
    taken: int = 0
    free: int = 0
    pending: int = 0
    """What is being given back already, of the price."""


class RefundTerms(Struct, frozen=True, kw_only=True):
    """What a refund of all that is left would come to. Nano-USD.

    `back`: of the payment; `takes`: of the credit that is left; `debt`: what of it is spent and would be owed then.
    `until`: the last moment (µs) of the terms, where they have one.
    """

    standing: Standing
    until: int | None = None
    back: int = 0
    takes: int = 0
    debt: int = 0


def refund_terms(bought: Bought, now: int) -> RefundTerms:
    """What the customer of an order may expect at `now` (µs)."""
    back = bought.price - bought.refunded - bought.pending
    if bought.state not in CREDITED or bought.state == "charged_back" or back <= 0:
        return RefundTerms(standing="nothing")
    days = bought.terms.get("refund_days")
    until = None if not days or bought.paid_at is None else bought.paid_at + int(days) * DAY_US
    left = max(0, bought.credits - bought.taken)
    takes = min(left, bought.free)
    return RefundTerms(standing=_standing(days, until, now), until=until, back=back, takes=takes, debt=left - takes)


def _standing(days: int | None, until: int | None, now: int) -> Standing:
    if days is None:
        return "unstated"
    if until is None:
        return "excluded"
    return "open" if now < until else "over"
