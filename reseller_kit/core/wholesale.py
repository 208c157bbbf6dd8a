"""A reseller's terms with the operator: settlement, overdraft, maturity, notices. Moves no money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from .money import parse_amount

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
        """What may be paid out: matured, not asked for already, and not held by calls under way."""
        return max(0, min(self.matured, self.balance - self.reserved) - self.requested)


def wholesale_terms(settings: Mapping[str, Any]) -> WholesaleTerms:
    """The terms in a tenant's stored settings; what they do not name has its default."""
    stored = settings.get("wholesale", {})
    return WholesaleTerms(
        settlement=stored.get("settlement", "prepaid"),
        overdraft=parse_amount(stored.get("overdraft", "0.00")),
        maturity_days=stored.get("maturity_days", DEFAULT_MATURITY_DAYS),
        notify_below=tuple(map(parse_amount, stored.get("notify_below", ()))),
    )
