"""A second ledger, from docs/money.md and docs/settlement.md alone: what the real one must hold. Imports nothing of it.

Where the product keeps running totals, this one keeps the facts (lots, holds, charges) and adds them up when asked, in
exact fractions; so the two agree only if both are right, or wrong in the same way for different reasons.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Outcome = tuple[Any, ...]
"""What an operation is answered with: a word, then its figures. Errors are ("error", name of the type)."""

LEVELS = ("retail", "wholesale", "cost")
PRICES: Mapping[str, Mapping[str, int]] = {
    "retail": {"input": 3_001, "cached_input": 299, "output": 12_345},
    "wholesale": {"input": 2_003, "cached_input": 199, "output": 8_001},
    "cost": {"input": 1_000, "cached_input": 100, "output": 4_007},
}
"""Pico-USD per token: odd, so that charges have to be rounded."""
LONG_CONTEXT = 60
DAY = 86_400_000_000
LONG_PRICES: Mapping[str, Mapping[str, int]] = {
    level: {name: 2 * price + 1 for name, price in prices.items()} for level, prices in PRICES.items()
}


def charge(level: str, used: Mapping[str, int]) -> int:
    """Quantity times price, at the prices of the call's length, rounded up once; nano-USD."""
    tokens_read = used.get("input", 0) + used.get("cached_input", 0)
    prices = LONG_PRICES[level] if tokens_read > LONG_CONTEXT else PRICES[level]
    return math.ceil(sum((Fraction(amount * prices[name], 1000) for name, amount in used.items()), Fraction()))


@dataclass(frozen=True)
class Terms:
    """What a call may cost: a fixed part and a price for each output token, in pico-USD at both levels."""

    fixed: tuple[int, int]
    each: tuple[int, int]
    limit: int
    choices: int = 1
    floor: int | None = None

    def cost(self, limit: int) -> tuple[int, int]:
        """Nano-USD at retail and wholesale for this output limit."""
        retail, wholesale = (
            math.ceil(Fraction(fixed + each * self.choices * limit, 1000))
            for fixed, each in zip(self.fixed, self.each, strict=True)
        )
        return retail, wholesale

    def most(self, retail: int | None, wholesale: int | None) -> int:
        """The largest limit that these amounts cover, found by trying each; -1 when none is."""
        for limit in range(self.limit, -1, -1):
            needed = self.cost(limit)
            if (retail is None or needed[0] <= retail) and (wholesale is None or needed[1] <= wholesale):
                return limit
        return -1


@dataclass
class Lot:
    """Credit that was given to one customer, and what became of it."""

    name: str
    customer: str
    kind: str
    given: int
    priority: int
    ends: int | None
    scopes: tuple[str, ...]
    born: int
    cash: int = 0
    spent: int = 0
    lapsed: int = 0
    by_hand: int = 0
    refunded_free: int = 0
    refunded_lapsed: int = 0
    daily: int | None = None
    owed: int = 0
    """What refunds made into debt: it was spent, or is held."""

    @property
    def taken(self) -> int:
        """What corrections and refunds took out of it."""
        return self.by_hand + self.refunded_free + self.refunded_lapsed

    @property
    def refunded(self) -> int:
        """What refunds came to in all."""
        return self.refunded_free + self.refunded_lapsed + self.owed

    @property
    def left(self) -> int:
        """What is not gone yet."""
        return self.given - self.spent - self.lapsed - self.taken

    def cash_of(self, part: int) -> int:
        """What was paid for a part of it, rounded down."""
        return math.floor(Fraction(self.cash * part, self.given))

    @property
    def accrued(self) -> int:
        """What the reseller has earned by it."""
        return self.cash_of(self.spent + self.lapsed)

    def has_ended(self, now: int) -> bool:
        """Whether it has run out."""
        return self.ends is not None and self.ends <= now

    def fits(self, model: str) -> bool:
        """Whether it may pay for this model. Scopes here are a name's beginning and a star."""
        return not self.scopes or any(model.startswith(scope.rstrip("*")) for scope in self.scopes)

    def turn(self) -> tuple[Any, ...]:
        """Its place in the burn order."""
        paid = self.kind not in {"promo", "trial"}
        return (self.priority, math.inf if self.ends is None else self.ends, paid, self.born, self.name)


@dataclass
class Voucher:
    """A code for credit."""

    worth: int
    times: int
    days: int | None
    ends: int | None
    scopes: tuple[str, ...]
    revoked: bool = False


NOBODY = ("", 0)
"""In place of the process that placed a hold: a refund's is nobody's."""


@dataclass
class Hold:
    """Money reserved for one call, and by whom; or credit kept aside for a refund."""

    name: str
    customer: str
    owner: tuple[str, int]
    model: str
    window: tuple[str, int] | None
    limit: int
    retail: int
    wholesale: int
    parts: list[tuple[str, int]]
    day: int = 0
    """On which day it was placed, by number."""
    state: str = "open"


@dataclass
class Book:
    """Everything that happened in one storefront."""

    lots: dict[str, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    debts: Counter[str] = field(default_factory=Counter)
    spent: Counter[tuple[str, int]] = field(default_factory=Counter)
    sinks: Counter[str] = field(default_factory=Counter)
    transactions: Counter[str] = field(default_factory=Counter)
    charges: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    known: dict[tuple[str, str], tuple[Any, Outcome]] = field(default_factory=dict)
    vouchers: dict[str, Voucher] = field(default_factory=dict)
    redeemed: dict[tuple[str, str], str] = field(default_factory=dict)
    paid_by: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """From which lots a call was paid, in order; without a name: what became debt."""
    reversed: dict[str, str] = field(default_factory=dict)
    payouts: dict[str, str] = field(default_factory=dict)
    moved: int = 0
    """What deposits, calls and payouts moved of the reseller's wallet."""
    sharing: bool = False
    """Whether the operator collects the customers' money."""

    def cash(self) -> int:
        """What customers paid of what is used up, less what refunds of it took."""
        return sum(lot.accrued - lot.cash_of(lot.owed) for lot in self.lots.values())

    @property
    def wholesale(self) -> int:
        """What the reseller has."""
        return self.moved + self.cash()

    def lots_of(self, customer: str) -> list[Lot]:
        """A customer's lots in burn order."""
        return sorted((lot for lot in self.lots.values() if lot.customer == customer), key=Lot.turn)

    def open_holds(self, customer: str | None = None) -> list[Hold]:
        """Holds that are not resolved."""
        return [hold for hold in self.holds.values() if hold.state == "open" and customer in {None, hold.customer}]

    def held(self, lot: Lot) -> int:
        """What open holds took from a lot."""
        return sum(part for hold in self.open_holds() for name, part in hold.parts if name == lot.name)

    def free(self, lot: Lot) -> int:
        """What is left of a lot and not held."""
        return lot.left - self.held(lot)

    def used(self, lot: Lot, day: int) -> int:
        """What calls of a day hold or were charged of a lot, within what they held."""
        of_day = [hold for hold in self.holds.values() if hold.day == day and hold.owner != NOBODY]
        return sum(part for hold in of_day for name, part in self.kept(hold) if name == lot.name)

    def kept(self, hold: Hold) -> list[tuple[str, int]]:
        """What a hold keeps of its parts: all while it is open, then what its charge took, in their order."""
        rest = sum(part for _, part in hold.parts) if hold.state == "open" else self.charges[hold.name][0]
        found = []
        for name, part in hold.parts:
            found.append((name, min(part, rest)))
            rest -= min(part, rest)
        return found

    def last_day(self, lot: Lot) -> int:
        """The last day on which a call held something of it."""
        calls = (hold for hold in self.holds.values() if hold.owner != NOBODY)
        return max((hold.day for hold in calls if lot.name in dict(hold.parts)), default=0)

    def day(self, customer: str, now: int) -> int:
        """The day of a call: never one before that on which another uses an allowance already."""
        begun = [self.last_day(lot) for lot in self.lots_of(customer) if lot.daily is not None and lot.left]
        return max(now // DAY, *begun, 0)

    def spendable(self, lot: Lot, now: int, model: str) -> int:
        """What a call may hold of a lot."""
        if lot.has_ended(now) or not lot.fits(model):
            return 0
        if lot.daily is None:
            return self.free(lot)
        return min(self.free(lot), max(0, lot.daily - self.used(lot, self.day(lot.customer, now))))

    def balance(self, customer: str) -> int:
        """What is left of all lots, less debt."""
        return sum(lot.left for lot in self.lots_of(customer)) - self.debts[customer]

    def reserved(self, customer: str) -> int:
        """What open holds reserve of a customer's credit."""
        return sum(hold.retail for hold in self.open_holds(customer))

    def available(self, customer: str, now: int, model: str | None = None) -> int:
        """Free credit that has not run out (for one model); nothing while there is debt."""
        if self.debts[customer]:
            return 0
        if model is not None:
            return sum(self.spendable(lot, now, model) for lot in self.lots_of(customer))
        return sum(self.free(lot) for lot in self.lots_of(customer) if not lot.has_ended(now))

    def window_held(self, window: tuple[str, int]) -> int:
        """What open holds reserve of a key's period."""
        return sum(hold.retail for hold in self.open_holds() if hold.window == window)

    def wholesale_held(self) -> int:
        """What open holds reserve of the reseller's wallet."""
        return sum(hold.wholesale for hold in self.open_holds())

    def spend_free(self, customer: str, amount: int, now: int, model: str | None = None) -> list[tuple[str, int]]:
        """Spend up to `amount` of unexpired free credit in burn order; what was not covered comes last, nameless."""
        parts = []
        for lot in self.lots_of(customer):
            if not lot.has_ended(now) and (model is None or lot.fits(model)):
                part = min(amount, self.free(lot))
                lot.spent += part
                amount -= part
                parts.append((lot.name, part))
        return [*parts, ("", amount)]

    def net(self, customer: str, now: int) -> None:
        """Debt and free credit do not stay side by side."""
        *_, (_, self.debts[customer]) = self.spend_free(customer, self.debts[customer], now)

    def lapse(self, lots: Iterable[Lot], now: int) -> int:
        """What is free of ended lots goes to breakage; how much."""
        total = 0
        for lot in lots:
            free = self.free(lot)
            if lot.has_ended(now) and free:
                lot.lapsed += free
                total += free
                self.transactions["expiry"] += 1
                self.sinks["breakage"] += free
        return total
