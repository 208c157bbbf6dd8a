"""The ledger's state and requests as values: wallets, lots, key windows, holds. Decides nothing.

All amounts are integer nano-USD, all times integer microseconds since 1970 (UTC).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from ..times import DAY_US

AccountKind = Literal[
    "customer_wallet",
    "reseller_wallet",
    "reseller_accrual",
    "credit_issued",
    "reseller_revenue",
    "breakage",
    "deposits",
    "customer_cash",
    "payouts",
    "wholesale_revenue",
    "upstream_cost",
    "upstream_payable",
]
WALLET_KINDS: Final = frozenset({"customer_wallet", "reseller_wallet", "reseller_accrual"})
"""Accounts with a stored balance; the others are sinks, whose balance is the sum of their entries."""
LotKind = Literal["topup", "package", "subscription", "promo", "manual", "voucher", "trial"]
PAID_KINDS: Final = frozenset({"topup", "package", "subscription"})
"""Kinds of lots that money may stand behind; the others are given."""
RefusalReason = Literal["credit", "daily_allowance", "key_limit", "wholesale"]


NO_WINDOW: Final = -1
"""`window_started_at` of a hold whose key has no limit."""


class Wallet(Struct, kw_only=True):
    """A stored balance that can be reserved: a customer's or a reseller's.

    A customer's balance is Σ lot.remaining − debt. A reseller's is Σ entries, at least −overdraft when a hold is
    placed; it has no lots and no debt. `accrues`: it is a revenue share, to which customers' cash is credited.
    """

    id: int
    tenant_id: int
    balance: int
    reserved: int = 0
    debt: int = 0
    accrues: bool = False


class Lot(Struct, kw_only=True):
    """Where a part of a customer's credit came from. 0 ≤ reserved ≤ remaining ≤ amount.

    `cash` is what was paid for it through the operator's account, `accrued` how much of that is credited to the
    reseller. `ref` is written with a new lot and not read with it. `daily`: how much of it calls may hold and spend in
    a day (UTC), None for all of it; `used` is what they do on the day that begins at `day`.
    """

    id: str
    wallet_id: int
    kind: str
    amount: int
    remaining: int
    reserved: int = 0
    consumed: int = 0
    expired: int = 0
    clawed_back: int = 0
    priority: int = 0
    expires_at: int | None = None
    models: tuple[str, ...] = ()
    created_at: int = 0
    cash: int = 0
    ref: str = ""
    accrued: int = 0
    daily: int | None = None
    day: int = 0
    used: int = 0


class KeyWindow(Struct, kw_only=True):
    """What one API key has spent and reserved in its current limit period; `limit` None means no limit."""

    key_id: str
    started_at: int
    limit: int | None
    spent: int = 0
    reserved: int = 0


class HoldTerms(Struct, frozen=True, kw_only=True):
    """What a call may cost at most, as a line: fixed part plus price per output token, in pico-USD.

    `output_limit` is the bound on output tokens of one choice, `choices` how many are asked for. When
    `shrink_to` is set the limit may be lowered down to it if credit does not cover more.
    """

    retail_fixed: int
    retail_per_output: int
    wholesale_fixed: int
    wholesale_per_output: int
    output_limit: int
    choices: int = 1
    shrink_to: int | None = None

    def retail(self, output_limit: int) -> int:
        """Nano-USD to reserve on the customer's side."""
        return -(-(self.retail_fixed + self.retail_per_output * self.choices * output_limit) // 1000)

    def wholesale(self, output_limit: int) -> int:
        """Nano-USD to reserve on the reseller's side."""
        return -(-(self.wholesale_fixed + self.wholesale_per_output * self.choices * output_limit) // 1000)

    def affordable(self, *, retail: int | None, wholesale: int | None) -> int:
        """The largest output limit that these free amounts cover, at most `output_limit`; -1 when none is."""
        found = self.output_limit
        if retail is not None:
            found = min(found, _affordable(retail, self.retail_fixed, self.retail_per_output * self.choices))
        if wholesale is not None:
            found = min(found, _affordable(wholesale, self.wholesale_fixed, self.wholesale_per_output * self.choices))
        return found


class HoldRequest(Struct, frozen=True, kw_only=True):
    """A call that asks for its money to be reserved, with the price versions it pins."""

    request_id: str
    tenant_id: int
    customer_id: str
    wallet_id: int
    reseller_wallet_id: int
    key_id: str
    key_limit: int | None
    window_started_at: int
    overdraft: int
    model: str
    retail_version: str
    wholesale_version: str
    terms: HoldTerms
    created_at: int


class Hold(Struct, kw_only=True):
    """Money reserved for one call; resolves once: captured, voided or expired."""

    request_id: str
    tenant_id: int
    customer_id: str
    wallet_id: int
    reseller_wallet_id: int
    key_id: str
    window_started_at: int
    model: str
    retail_version: str
    wholesale_version: str
    output_limit: int
    retail: int
    wholesale: int
    allocations: list[tuple[str, int]]
    created_at: int
    state: str = "open"
    resolved_at: int | None = None
    epoch: int = 0
    """Of the lease that it was placed under, where that was just now."""


class HoldRefused(Struct, frozen=True, kw_only=True):
    """Why a hold was not placed: what it needs, what is free, and the output limit that would be payable."""

    reason: RefusalReason
    required: int
    available: int
    affordable_output: int
    renews_at: int | None = None
    """When there is more, for what an allowance keeps back."""


class Capture(Struct, frozen=True, kw_only=True):
    """The final charge of a held call at the three levels."""

    request_id: str
    retail: int
    wholesale: int
    cost: int
    at: int


class Grant(Struct, frozen=True, kw_only=True):
    """Credit for a customer: becomes one lot. `ref` stands on the transaction, `lot_ref` says what was granted.

    `cash`: what was paid for it through the operator's account, net of tax and provider fee; 0 for what was given.
    `accrual_id`: the reseller's revenue share, to which cash goes that pays debt at once.
    """

    lot_id: str
    txn_id: str
    tenant_id: int
    wallet_id: int
    kind: str
    amount: int
    at: int
    ref: str = ""
    code: str = "grant"
    priority: int = 0
    expires_at: int | None = None
    models: tuple[str, ...] = ()
    cash: int = 0
    lot_ref: str = ""
    accrual_id: int | None = None
    daily: int | None = None


class TakeBack(Struct, frozen=True, kw_only=True):
    """A correction that takes `amount` of free credit away from a customer."""

    txn_id: str
    tenant_id: int
    wallet_id: int
    amount: int
    at: int
    ref: str = ""
    code: str = "adjustment"


class WholesaleMove(Struct, frozen=True, kw_only=True):
    """Money that enters (positive) or leaves (negative) a reseller's account; `sink` is where from or to."""

    txn_id: str
    tenant_id: int
    wallet_id: int
    amount: int
    at: int
    ref: str = ""
    code: str = "deposit"
    sink: AccountKind = "deposits"


class Entry(Struct, frozen=True):
    """One signed line of a transaction: on a wallet by its id, else on the tenant's account of that kind."""

    account: AccountKind
    wallet_id: int | None
    amount: int


class Txn(Struct, frozen=True, kw_only=True):
    """A double-entry transaction: its entries sum to zero."""

    id: str
    tenant_id: int
    code: str
    ref: str
    at: int
    entries: tuple[Entry, ...]
    wallet_id: int | None = None
    balance_after: int | None = None
    reverses: str | None = None


class Posting(Struct, kw_only=True):
    """What one decision asks to be written besides the changed state."""

    txns: list[Txn]
    lots: list[Lot]


def burn_order(lots: Sequence[Lot]) -> list[Lot]:
    """Lots in the order in which they are spent: priority, earliest expiry (none last), promo first, oldest."""
    return sorted(lots, key=_burn_key)


def usable(lot: Lot, model: str, now: int) -> bool:
    """Whether a lot's free part may be reserved for a call of `model` at `now`."""
    if lot.expires_at is not None and lot.expires_at <= now:
        return False
    return not lot.models or any(fnmatch.fnmatchcase(model, scope) for scope in lot.models)


def available(wallet: Wallet, lots: Sequence[Lot], now: int) -> int:
    """What is free and unexpired. 0 while there is debt."""
    free = 0
    for lot in lots if not wallet.debt else ():
        if lot.expires_at is None or lot.expires_at > now:
            free += lot.remaining - lot.reserved
    return free


def spendable(lot: Lot, model: str, now: int) -> int:
    """What a call of `model` may hold of a lot at `now`: what is free, as far as the day's allowance goes."""
    if not usable(lot, model, now):
        return 0
    free = lot.remaining - lot.reserved
    return free if lot.daily is None else min(free, left_today(lot, now))


def left_today(lot: Lot, now: int) -> int:
    """What is left of the allowance of the day that `now` lies in; of a lot that has one."""
    used = lot.used if day_of(now) <= lot.day else 0
    return max(0, (lot.daily or 0) - used)


def day_of(now: int) -> int:
    """The beginning of the UTC day that a moment lies in."""
    return now - now % DAY_US


def take_of_day(lot: Lot, part: int, now: int) -> None:
    """A call holds `part` of a lot with an allowance."""
    day = day_of(now)
    if day > lot.day:
        lot.day, lot.used = day, 0
    lot.used += part


def return_to_day(lot: Lot, part: int, held_at: int) -> None:
    """`part` of what was held at that moment is not spent: that day's allowance has it again."""
    if day_of(held_at) == lot.day:
        lot.used -= part


_PROMO_KINDS = frozenset({"promo", "trial"})


def _burn_key(lot: Lot) -> tuple[int, bool, int, bool, int, str]:
    expires = lot.expires_at
    return (lot.priority, expires is None, expires or 0, lot.kind not in _PROMO_KINDS, lot.created_at, lot.id)


def _affordable(free: int, fixed: int, per_output: int) -> int:
    rest = free * 1000 - fixed
    if rest < 0:
        return -1
    return rest // per_output if per_output else 2**53
