"""A reseller's terms with the operator: settlement, overdraft, maturity, notices. Moves no money."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from .money import CENT_NANO, parse_amount

Settlement = Literal["prepaid", "revenue_share"]
DEFAULT_MATURITY_DAYS: Final = 14
_DAY_US: Final = 86_400_000_000


class WholesaleTerms(Struct, frozen=True, kw_only=True):
    """What `[tenants.wholesale]` says beside prices. Amounts in nano-USD; `notify_below` falls."""

    settlement: Settlement = "prepaid"
    overdraft: int = 0
    maturity_days: int = DEFAULT_MATURITY_DAYS
    notify_below: tuple[int, ...] = ()

    def matured_before(self, now: int) -> int:
        """What accrued after this moment (µs) is not paid out yet."""
        return now - self.maturity_days * _DAY_US


class Share(Struct, frozen=True, kw_only=True):
    """A revenue share as it stands. Nano-USD.

    `recent`: what its entries after the maturity date sum to, payouts left out; `requested`: payouts that wait to be
    approved.
    """

    balance: int
    reserved: int
    recent: int
    requested: int

    @property
    def matured(self) -> int:
        """What had accrued by the maturity date less what was paid out since, and never more than there is."""
        return min(self.balance, self.balance - self.recent)

    @property
    def payable(self) -> int:
        """What may be paid out, in whole cents: matured, not asked for already, and not held by calls under way."""
        free = max(0, min(self.matured, self.balance - self.reserved) - self.requested)
        return free - free % CENT_NANO


def wholesale_terms(settings: Mapping[str, Any]) -> WholesaleTerms:
    """The terms in a tenant's stored settings; what they do not name has its default."""
    stored = settings.get("wholesale", {})
    return WholesaleTerms(
        settlement=stored.get("settlement", "prepaid"),
        overdraft=parse_amount(stored.get("overdraft", "0.00")),
        maturity_days=stored.get("maturity_days", DEFAULT_MATURITY_DAYS),
        notify_below=tuple(map(parse_amount, stored.get("notify_below", ()))),
    )


class Crossing(Struct, frozen=True):
    """Thresholds that a balance fell below, the largest first, and those that it is above again."""

    fallen: tuple[int, ...]
    lifted: tuple[int, ...]


def crossing(balance: int, thresholds: Collection[int], told: Collection[int]) -> Crossing:
    """What has changed since the reseller was `told`; a threshold that is not wanted any more counts as lifted."""
    fallen = sorted((mark for mark in thresholds if balance < mark and mark not in told), reverse=True)
    lifted = sorted(mark for mark in told if balance >= mark or mark not in thresholds)
    return Crossing(tuple(fallen), tuple(lifted))
