"""Holds: placed, captured, voided. A decision changes the loaded state and says what to write, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from ..errors import LedgerFault
from ..times import DAY_US
from .lots import accrual, consume, expire_free, net_debt, shortfall
from .state import (
    NO_WINDOW,
    AccountKind,
    Capture,
    Entry,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    Posting,
    Txn,
    Wallet,
    burn_order,
    day_of,
    return_to_day,
    spendable,
    take_of_day,
    usable,
)


def place_hold(
    request: HoldRequest, wallet: Wallet, lots: Sequence[Lot], reseller: Wallet, window: KeyWindow | None
) -> Hold | HoldRefused:
    """Reserve a call's most possible charge on the customer's lots, the reseller's wallet and the key's window.

    Lowers the output limit to what all three cover if the terms allow it, else refuses naming the tightest. A
    revenue share is reserved for what the call can take from it beyond the cash of the credit that it uses up.
    """
    request = _dated(request, lots)
    terms = request.terms
    free, credit = _spendable(request, wallet, lots)
    key_rest = None if window is None or window.limit is None else max(0, window.limit - window.spent - window.reserved)
    retail_free = credit if key_rest is None else min(credit, key_rest)
    wholesale_free = max(0, reseller.balance - reseller.reserved + request.overdraft)
    output_limit = terms.output_limit
    at_stake = partial(_at_stake, terms, free) if reseller.accrues else terms.wholesale
    retail, wholesale = terms.retail(output_limit), at_stake(output_limit)
    if retail > retail_free or wholesale > wholesale_free:
        if reseller.accrues:
            affordable = _largest(at_stake, terms.affordable(retail=retail_free, wholesale=None), wholesale_free)
        else:
            affordable = terms.affordable(retail=retail_free, wholesale=wholesale_free)
        if terms.shrink_to is None or affordable < min(terms.shrink_to, terms.output_limit):
            beyond = _kept_back(request, wallet, lots, credit)
            return _refusal(request, credit, key_rest, wholesale_free, at_stake, beyond)
        output_limit = affordable
        retail, wholesale = terms.retail(output_limit), at_stake(output_limit)
    allocations = _allocate(free, retail, request.created_at)
    wallet.reserved += retail
    reseller.reserved += wholesale
    if window is not None:
        window.reserved += retail
    return Hold(
        request_id=request.request_id,
        tenant_id=request.tenant_id,
        customer_id=request.customer_id,
        wallet_id=request.wallet_id,
        reseller_wallet_id=request.reseller_wallet_id,
        key_id=request.key_id,
        window_started_at=NO_WINDOW if window is None else request.window_started_at,
        model=request.model,
        retail_version=request.retail_version,
        wholesale_version=request.wholesale_version,
        output_limit=output_limit,
        retail=retail,
        wholesale=wholesale,
        allocations=allocations,
        created_at=request.created_at,
    )


def _dated(request: HoldRequest, lots: Sequence[Lot]) -> HoldRequest:
    """A call that waited past a midnight behind which others use allowances already uses the new day's as well."""
    day = 0
    for lot in lots:
        if lot.daily is not None and lot.remaining and lot.day > day:
            day = lot.day
    return replace(request, created_at=day) if day > request.created_at else request


def capture(
    charge: Capture, hold: Hold, wallet: Wallet, lots: Sequence[Lot], reseller: Wallet, window: KeyWindow | None
) -> Posting:
    """Turn a hold into its final charge: consume its allocations in their order, then free lots, then debt.

    What was reserved and not used is released, or expires here if its lot has run out meanwhile. A charge of zero
    at every level is a void. Raises LedgerFault for a negative charge or a hold that is not open.
    """
    if charge.retail < 0 or charge.wholesale < 0 or charge.cost < 0:
        raise LedgerFault(f"{charge.request_id}: a charge is negative")
    if charge.retail == charge.wholesale == charge.cost == 0:
        return void(hold, wallet, lots, reseller, window, at=charge.at)
    released = _take_reserved(hold, {lot.id: lot for lot in lots}, charge.retail)
    _release(hold, wallet, reseller, window, state="captured", at=charge.at)
    wallet.balance -= charge.retail
    if charge.retail > hold.retail:
        _take_free(wallet, lots, charge.retail - hold.retail, hold.model, charge.at)
    reseller.balance -= charge.wholesale
    if window is not None:
        window.spent += charge.retail
    txn = Txn(
        id=call_txn_id(charge.request_id),
        tenant_id=hold.tenant_id,
        code="call",
        ref=charge.request_id,
        at=charge.at,
        entries=_call_entries(charge, wallet.id, reseller),
        wallet_id=wallet.id,
        balance_after=wallet.balance,
    )
    txns = [txn, *_after_release(hold, wallet, lots, released, charge.at)]
    if reseller.accrues:
        txns += _accrued(hold, lots, reseller, charge.at)
    return Posting(txns=txns, lots=[])


def void(
    hold: Hold,
    wallet: Wallet,
    lots: Sequence[Lot],
    reseller: Wallet,
    window: KeyWindow | None,
    *,
    at: int,
    state: str = "voided",
) -> Posting:
    """Release a hold without a charge."""
    released = _take_reserved(hold, {lot.id: lot for lot in lots}, 0)
    _release(hold, wallet, reseller, window, state=state, at=at)
    txns = _after_release(hold, wallet, lots, released, at)
    if reseller.accrues:
        txns += _accrued(hold, lots, reseller, at)
    return Posting(txns=txns, lots=[])


def call_txn_id(request_id: str) -> str:
    """The id of the one transaction that captures a call."""
    return "txn_" + request_id.partition("_")[2]


def _at_stake(terms: HoldTerms, free: Sequence[tuple[Lot, int]], output_limit: int) -> int:
    """What a call of this output limit can take from a revenue share."""
    parts, _ = _plan(free, terms.retail(output_limit))
    return shortfall(parts, terms.wholesale(output_limit))


def _largest(at_stake: Callable[[int], int], output_limit: int, free: int) -> int:
    """An output limit, as large as can be found, whose stake is covered; -1 when there is none."""
    covered, beyond = -1, output_limit + 1
    while beyond - covered > 1:
        middle = (covered + beyond) // 2
        if at_stake(middle) <= free:
            covered = middle
        else:
            beyond = middle
    return covered


def _kept_back(request: HoldRequest, wallet: Wallet, lots: Sequence[Lot], credit: int) -> int:
    """What allowances keep from a call until the next day."""
    if wallet.debt:
        return 0
    free = sum(lot.remaining - lot.reserved for lot in lots if usable(lot, request.model, request.created_at))
    return free - credit


def _refusal(
    request: HoldRequest,
    credit: int,
    key_rest: int | None,
    wholesale_free: int,
    at_stake: Callable[[int], int],
    kept_back: int,
) -> HoldRefused:
    terms = request.terms
    floor = terms.output_limit if terms.shrink_to is None else min(terms.shrink_to, terms.output_limit)
    retail = terms.retail(floor)
    if retail > credit:
        payable = terms.affordable(retail=credit, wholesale=None)
        if kept_back and retail <= credit + kept_back:
            return HoldRefused(
                reason="daily_allowance",
                required=retail,
                available=credit,
                affordable_output=payable,
                renews_at=day_of(request.created_at) + DAY_US,
            )
        return HoldRefused(reason="credit", required=retail, available=credit, affordable_output=payable)
    if key_rest is not None and retail > key_rest:
        payable = terms.affordable(retail=key_rest, wholesale=None)
        return HoldRefused(reason="key_limit", required=retail, available=key_rest, affordable_output=payable)
    payable = terms.affordable(retail=None, wholesale=wholesale_free)
    return HoldRefused(
        reason="wholesale", required=at_stake(floor), available=wholesale_free, affordable_output=payable
    )


def _spendable(request: HoldRequest, wallet: Wallet, lots: Sequence[Lot]) -> tuple[list[tuple[Lot, int]], int]:
    """Each lot in burn order, with what the call may hold of it; and what it may hold in all, 0 while there is debt."""
    model, now = request.model, request.created_at
    free, credit = [], 0
    for lot in burn_order(lots) if len(lots) > 1 else lots:
        part = spendable(lot, model, now)
        free.append((lot, part))
        credit += part
    return free, 0 if wallet.debt else credit


def _allocate(free: Sequence[tuple[Lot, int]], amount: int, now: int) -> list[tuple[str, int]]:
    """Reserve `amount` on free lots in their order; the caller has checked that they cover it."""
    parts, rest = _plan(free, amount)
    if rest:
        raise LedgerFault("lots do not cover what was found available")
    for lot, part in parts:
        lot.reserved += part
        if lot.daily is not None:
            take_of_day(lot, part, now)
    return [(lot.id, part) for lot, part in parts]


def _plan(free: Sequence[tuple[Lot, int]], amount: int) -> tuple[list[tuple[Lot, int]], int]:
    """The lots that `amount` would be reserved on, in their order, and what they do not cover of it."""
    parts = []
    for lot, part in free:
        if part >= amount:
            if amount:
                parts.append((lot, amount))
            return parts, 0
        if part > 0:
            amount -= part
            parts.append((lot, part))
    return parts, amount


def _take_reserved(hold: Hold, lots: dict[str, Lot], charge: int) -> list[Lot]:
    """Consume up to `charge` from the hold's allocations in order and release the rest; the lots with a rest."""
    if hold.state != "open":
        raise LedgerFault(f"{hold.request_id}: hold is {hold.state}")
    released = []
    for lot_id, reserved in hold.allocations:
        lot = lots[lot_id]
        used = reserved
        if charge < reserved:
            used = charge
            released.append(lot)
            if lot.daily is not None:
                return_to_day(lot, reserved - used, hold.created_at)
        charge -= used
        lot.reserved -= reserved
        lot.remaining -= used
        lot.consumed += used
    return released


def _release(hold: Hold, wallet: Wallet, reseller: Wallet, window: KeyWindow | None, *, state: str, at: int) -> None:
    hold.state = state
    hold.resolved_at = at
    wallet.reserved -= hold.retail
    reseller.reserved -= hold.wholesale
    if window is not None:
        window.reserved -= hold.retail


def _take_free(wallet: Wallet, lots: Sequence[Lot], overage: int, model: str, now: int) -> None:
    """An overage above the hold: free lots that fit the call, in burn order, then debt."""
    for lot in burn_order(lots):
        if usable(lot, model, now):
            overage -= consume(lot, overage)
    wallet.debt += overage


def _after_release(hold: Hold, wallet: Wallet, lots: Sequence[Lot], released: Sequence[Lot], at: int) -> list[Txn]:
    """What a release sets off: expired parts go to breakage, and debt is paid from what is free."""
    txns = []
    for number, lot in enumerate(released, 1):
        if lot.expires_at is not None:
            txn = expire_free(wallet, lot, f"{call_txn_id(hold.request_id)}_{number}", hold.tenant_id, at)
            if txn is not None:
                txns.append(txn)
    net_debt(wallet, lots, at)
    return txns


def _accrued(hold: Hold, lots: Sequence[Lot], reseller: Wallet, at: int) -> list[Txn]:
    """The cash of all that the call's end has used up, for a reseller who shares the revenue."""
    return accrual(reseller, lots, txn_id=f"{call_txn_id(hold.request_id)}_a", ref=hold.request_id, at=at)


def _call_entries(charge: Capture, wallet_id: int, reseller: Wallet) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    if charge.retail:
        entries.append(Entry("customer_wallet", wallet_id, -charge.retail))
        entries.append(Entry("reseller_revenue", None, charge.retail))
    if charge.wholesale:
        account: AccountKind = "reseller_accrual" if reseller.accrues else "reseller_wallet"
        entries.append(Entry(account, reseller.id, -charge.wholesale))
        entries.append(Entry("wholesale_revenue", None, charge.wholesale))
    if charge.cost:
        entries.append(Entry("upstream_cost", None, -charge.cost))
        entries.append(Entry("upstream_payable", None, charge.cost))
    return tuple(entries)
