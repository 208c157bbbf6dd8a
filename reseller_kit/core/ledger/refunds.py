"""Holds of kind `refund`: credit that is kept aside while a payment provider decides on a refund. Asks no provider."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..errors import LedgerFault
from .clawback import Clawback, Clawed, claw_back, find_lot
from .lots import expire_free, net_debt
from .state import NO_WINDOW, Hold, Lot, Posting, Txn, Wallet


class RefundRequest(Struct, frozen=True, kw_only=True):
    """A refund that was asked for: keep up to `amount` of a lot's free rest aside under `refund_id`."""

    refund_id: str
    tenant_id: int
    customer_id: str
    wallet_id: int
    reseller_wallet_id: int
    lot_id: str
    amount: int
    at: int

    @property
    def txn_id(self) -> str:
        """The name of it in messages; a hold posts nothing."""
        return self.refund_id


def hold_refund(request: RefundRequest, wallet: Wallet, lots: Sequence[Lot]) -> Hold:
    """Reserve the part of the lot's rest that the refund would take; calls can't spend it meanwhile.

    What has been spent, is held by calls or has run out is not reserved: a refund that goes through finds it as debt
    or in breakage. Raises LedgerFault unless the amount is positive.
    """
    if request.amount <= 0:
        raise LedgerFault(f"{request.refund_id}: a refund must be positive")
    lot = find_lot(lots, request.lot_id)
    lapsed = lot.expires_at is not None and lot.expires_at <= request.at
    part = 0 if lapsed else min(request.amount, lot.remaining - lot.reserved)
    lot.reserved += part
    wallet.reserved += part
    return Hold(
        request_id=request.refund_id,
        tenant_id=request.tenant_id,
        customer_id=request.customer_id,
        wallet_id=wallet.id,
        reseller_wallet_id=request.reseller_wallet_id,
        key_id="",
        window_started_at=NO_WINDOW,
        model="",
        retail_version="",
        wholesale_version="",
        output_limit=0,
        retail=part,
        wholesale=0,
        allocations=[(lot.id, part)],
        created_at=request.at,
    )


def consume_refund(hold: Hold, request: Clawback, wallet: Wallet, lots: Sequence[Lot], clawed: Clawed) -> Posting:
    """The refund went through: release its hold and claw back in the same transaction."""
    if [lot_id for lot_id, _ in hold.allocations] != [request.lot_id] or request.target < 0:
        raise LedgerFault(f"{hold.request_id}: the refund is of another lot or negative")
    lot = _release(hold, wallet, lots, state="captured", at=request.at)
    posting = claw_back(request, wallet, lots, clawed)
    posting.txns += _lapse(hold, wallet, lot, request.at)
    return posting


def release_refund(hold: Hold, wallet: Wallet, lots: Sequence[Lot], *, at: int) -> Posting:
    """The refund was refused or withdrawn: the credit is free again, or expires if it has run out meanwhile."""
    lot = _release(hold, wallet, lots, state="voided", at=at)
    txns = _lapse(hold, wallet, lot, at)
    net_debt(wallet, lots, at)
    return Posting(txns=txns, lots=[])


def _release(hold: Hold, wallet: Wallet, lots: Sequence[Lot], *, state: str, at: int) -> Lot:
    if hold.state != "open":
        raise LedgerFault(f"{hold.request_id}: hold is {hold.state}")
    ((lot_id, part),) = hold.allocations
    lot = find_lot(lots, lot_id)
    lot.reserved -= part
    wallet.reserved -= part
    hold.state, hold.resolved_at = state, at
    return lot


def _lapse(hold: Hold, wallet: Wallet, lot: Lot, at: int) -> list[Txn]:
    txn = expire_free(wallet, lot, f"txn_{hold.request_id.partition('_')[2]}_1", hold.tenant_id, at)
    return [] if txn is None else [txn]
