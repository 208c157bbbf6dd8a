"""A month of an account: what it began with, what moved, what it ended with. Pure sums of the ledger; reads nothing.

Every movement falls into one kind, so that opening and kinds together are the closing balance, to the nano-USD.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct

from .offers import split

Kind = Literal["purchase", "bonus", "gift", "usage", "refund", "expiry", "correction"]
KINDS: Final = get_args(Kind)
_OF_CODE: Final[dict[str, Kind]] = {
    "call": "usage",
    "clawback": "refund",
    "restoration": "refund",
    "expiry": "expiry",
}


class Movement(Struct, frozen=True, kw_only=True):
    """A transaction as a customer's account saw it, in nano-USD; of an order with what was paid for its credit.

    `included`: it was paid for with something else, such as a plan's upgrade, so none of it is a bonus.
    """

    code: str
    amount: int
    price: int | None = None
    included: bool = False


class ModelUse(Struct, frozen=True, kw_only=True):
    """What calls of one model came to; `amount` as the account saw it, so usually below 0."""

    model: str
    calls: int
    amount: int


class Sums(Struct, frozen=True, kw_only=True):
    """What a month moved, by kind, in nano-USD; negative where it left the account."""

    purchase: int = 0
    bonus: int = 0
    gift: int = 0
    usage: int = 0
    refund: int = 0
    expiry: int = 0
    correction: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, kind) for kind in KINDS)


def sums(movements: Iterable[Movement]) -> Sums:
    """The movements by kind."""
    found = dict.fromkeys(KINDS, 0)
    for movement in movements:
        for kind, amount in parts(movement):
            found[kind] += amount
    return Sums(**found)


def parts(movement: Movement) -> tuple[tuple[Kind, int], ...]:
    """The kinds that a movement is of: credit of an order is bought as far as it was paid, and a bonus beyond that."""
    if movement.code != "grant":
        return ((_OF_CODE.get(movement.code, "correction"), movement.amount),)
    if movement.price is None:
        return (("gift", movement.amount),)
    if movement.included:
        return (("purchase", movement.amount),)
    bought, bonus = split(movement.price, movement.amount)
    return (("purchase", bought), *((("bonus", bonus),) if bonus else ()))
