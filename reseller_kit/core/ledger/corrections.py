"""Reversing the charge of a call: the money goes back to the lots that it came from. Changes no usage record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ..errors import LedgerFault
from .clawback import find_lot, forgive
from .lots import expire_free, net_debt
from .state import Entry, Hold, Lot, Posting, Txn, Wallet, burn_order, usable

DEBT: Final = ""
"""In place of a lot's id: the part of a charge that no credit covered."""
Parts = Sequence[tuple[str, int]]
_STAYS: Final = frozenset({"upstream_cost", "upstream_payable"})


class CallReversal(Struct, frozen=True, kw_only=True):
    """Give back `amount` of a call's `charge`.

    `parts` says what the charge was consumed from, in that order, and `entries` how the call was posted;
    `new_lot_id` is for what was owed and has been repaid since.
    """

    request_id: str
    txn_id: str
    reverses: str
    tenant_id: int
    wallet_id: int
    amount: int
    charge: int
    parts: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]
    at: int
    new_lot_id: str


def overage_parts(
    hold: Hold, charge: int, consumed_before: Mapping[str, int], lots: Sequence[Lot], at: int
) -> list[tuple[str, int]]:
    """What a charge above its hold took beside the hold's allocations: other lots in their order, then debt.

    `consumed_before` is each lot's consumed part before the capture, `lots` the same lots behind it.
    """
    reserved = dict(hold.allocations)
    rest = charge - hold.retail
    parts = []
    for lot in sorted(burn_order(lots), key=lambda lot: not usable(lot, hold.model, at)):
        part = lot.consumed - consumed_before[lot.id] - reserved.get(lot.id, 0)
        if part > 0:
            parts.append((lot.id, part))
            rest -= part
    if rest:
        parts.append((DEBT, rest))
    return parts


def charged_parts(allocations: Parts, overage: Parts, charge: int) -> list[tuple[str, int]]:
    """What a captured charge was consumed from, in order: its hold's allocations as far as it went, then the rest."""
    parts = []
    rest = charge
    for lot_id, amount in (*allocations, *overage):
        part = min(rest, amount)
        if part:
            parts.append((lot_id, part))
            rest -= part
    if rest:
        raise LedgerFault("a charge is larger than what it was consumed from")
    return parts


def reverse_call(request: CallReversal, wallet: Wallet, lots: Sequence[Lot], wallets: Mapping[int, Wallet]) -> Posting:
    """Unwind the charge, last consumed first.

    What was owed reduces debt first. A lot that has run out expires what it gets back in the same transaction. The
    other lines of the call follow in proportion, rounded in favour of who received them; what the upstream is owed
    stays. Raises LedgerFault for more than was charged.
    """
    if not 0 < request.amount <= request.charge:
        raise LedgerFault(f"{request.request_id}: {request.amount} is not a part of the charge {request.charge}")
    back, owed = _unwind(request, lots)
    entries = _scaled(request)
    for lot, part in back:
        lot.consumed -= part
        lot.remaining += part
    for entry in entries:
        if entry.wallet_id is not None:
            wallets[entry.wallet_id].balance += entry.amount
    made = forgive(wallet, owed, lot_id=request.new_lot_id, at=request.at)
    txn = Txn(
        id=request.txn_id,
        tenant_id=request.tenant_id,
        code="reversal",
        ref=request.request_id,
        at=request.at,
        entries=entries,
        wallet_id=wallet.id,
        balance_after=wallet.balance,
        reverses=request.reverses,
    )
    lapsed = _lapse(request, wallet, (lot for lot, _ in back))
    net_debt(wallet, [*lots, *made], request.at)
    return Posting(txns=[txn, *lapsed], lots=made)


def _unwind(request: CallReversal, lots: Sequence[Lot]) -> tuple[list[tuple[Lot, int]], int]:
    rest, owed = request.amount, 0
    back = []
    for lot_id, amount in reversed(request.parts):
        part = min(rest, amount)
        rest -= part
        if lot_id == DEBT:
            owed += part
        elif part:
            lot = find_lot(lots, lot_id)
            if part > lot.consumed:
                raise LedgerFault(f"{request.request_id}: {lot_id} has not consumed what it would get back")
            back.append((lot, part))
    if rest:
        raise LedgerFault(f"{request.request_id}: its parts are less than its charge")
    return back, owed


def _scaled(request: CallReversal) -> tuple[Entry, ...]:
    """The call's entries the other way round, as large as the reversed part of the charge."""
    lines = []
    for entry in request.entries:
        if entry.account not in _STAYS:
            part = abs(entry.amount) * request.amount // request.charge
            lines.append(Entry(entry.account, entry.wallet_id, part if entry.amount < 0 else -part))
    if (request.wallet_id, request.amount) not in [(line.wallet_id, line.amount) for line in lines]:
        raise LedgerFault(f"{request.request_id}: the call was not posted to the customer's wallet")
    uneven = sum(line.amount for line in lines)
    if uneven:
        # Rounded lines of unequal size leave a few nano-USD: they fall to the largest line beside the customer's.
        largest = max((line for line in lines if line.wallet_id != request.wallet_id), key=lambda x: abs(x.amount))
        lines[lines.index(largest)] = Entry(largest.account, largest.wallet_id, largest.amount - uneven)
    return tuple(line for line in lines if line.amount)


def _lapse(request: CallReversal, wallet: Wallet, lots: Iterable[Lot]) -> list[Txn]:
    txns = []
    for number, lot in enumerate(lots, 1):
        txn = expire_free(wallet, lot, f"{request.txn_id}_{number}", request.tenant_id, request.at)
        if txn is not None:
            txns.append(txn)
    return txns
