"""What decisions depend on: whether they would be the same if others had moved the same wallets meanwhile.

A hold that was placed in full, on the one lot that is spent first, would be placed just so with more or less credit,
as long as it is covered. A charge within such a hold takes what it takes from any balance. So it is enough to keep how
much was left behind the tightest hold (escrow, as in O'Neil 1986, "The Escrow Transactional Method"). All else
(refused, lowered, over several lots, with debt, expiry, daily allowance or revenue share) depends on the very figures.
Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from .state import Capture, Hold, HoldRefused, HoldRequest, KeyWindow, Lot, Wallet, burn_order, usable

_Key = TypeVar("_Key", int, str, tuple[str, int])


class Floors:
    """What the decisions of one batch depend on, noted one by one behind each.

    `exact` and `exact_windows`: wallets and key windows that must be as they were when it was decided. Of the others,
    how much was left at least, behind any hold that was placed on them: of a reseller's wallet (with its overdraft), of
    a lot, of a key's limit. What is not named may be anything; but no other lot may be there, and no debt.
    """

    def __init__(self) -> None:
        self.exact: set[int] = set()
        self.exact_windows: set[tuple[str, int]] = set()
        self.wallets: dict[int, int] = {}
        self.lots: dict[str, int] = {}
        self.windows: dict[tuple[str, int], int] = {}

    def note_hold(
        self,
        request: HoldRequest,
        outcome: Hold | HoldRefused,
        wallet: Wallet,
        lots: Sequence[Lot],
        reseller: Wallet,
        window: KeyWindow | None,
    ) -> None:
        """A hold was asked for, with this outcome; the state is what it left."""
        if isinstance(outcome, HoldRefused) or outcome.output_limit != request.terms.output_limit:
            self._note_short(outcome, wallet, reseller, window)
            return
        if reseller.accrues:
            self.exact.add(reseller.id)
        if reseller.accrues or _is_particular(wallet, lots):
            self.exact.add(wallet.id)
        if outcome.retail:
            lot = _first(lots, request)
            if lot is None or outcome.allocations != [(lot.id, outcome.retail)]:
                self.exact.add(wallet.id)
            else:
                _lower(self.lots, lot.id, lot.remaining - lot.reserved)
            if window is not None and window.limit is not None:
                _lower(self.windows, (window.key_id, window.started_at), window.limit - window.spent - window.reserved)
        if outcome.wholesale:
            _lower(self.wallets, reseller.id, reseller.balance - reseller.reserved + request.overdraft)

    def note_end(self, charge: Capture, hold: Hold, wallet: Wallet, lots: Sequence[Lot], reseller: Wallet) -> None:
        """A hold is to be captured or voided; the state is what that finds."""
        if reseller.accrues:
            self.exact |= {wallet.id, reseller.id}
        elif charge.retail > hold.retail or _is_particular(wallet, lots) or _runs_out(hold, lots, charge.at):
            self.exact.add(wallet.id)

    def _note_short(
        self, outcome: Hold | HoldRefused, wallet: Wallet, reseller: Wallet, window: KeyWindow | None
    ) -> None:
        self.exact.add(wallet.id)
        own = isinstance(outcome, HoldRefused) and outcome.reason in {"credit", "daily_allowance"}
        if window is not None and not own:
            self.exact_windows.add((window.key_id, window.started_at))
        if reseller.accrues or isinstance(outcome, Hold) or outcome.reason == "wholesale":
            self.exact.add(reseller.id)


def _is_particular(wallet: Wallet, lots: Sequence[Lot]) -> bool:
    return wallet.debt != 0 or any(lot.daily is not None for lot in lots)


def _first(lots: Sequence[Lot], request: HoldRequest) -> Lot | None:
    """The lot that a call is held on first, whatever is left of it: others may have given back to it."""
    fitting = [lot for lot in lots if usable(lot, request.model, request.created_at)]
    return burn_order(fitting)[0] if fitting else None


def _runs_out(hold: Hold, lots: Sequence[Lot], at: int) -> bool:
    """Whether what is released of a hold may have expired."""
    held = {lot_id for lot_id, _ in hold.allocations}
    return any(lot.expires_at is not None and lot.expires_at <= at for lot in lots if lot.id in held)


def _lower(least: dict[_Key, int], key: _Key, left: int) -> None:
    least[key] = min(left, least.get(key, left))
