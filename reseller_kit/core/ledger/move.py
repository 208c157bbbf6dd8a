"""Money in and out of wallets outside of calls: grants, corrections, deposits, expiry. Touches no hold."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidAmount, LedgerFault
from ..money import MAX_AMOUNT_NANO, format_amount
from .lots import accrual, expire_free, net_debt
from .state import (
    PAID_KINDS,
    Entry,
    Grant,
    HoldRefused,
    Lot,
    Posting,
    TakeBack,
    Txn,
    Wallet,
    WholesaleMove,
    available,
    burn_order,
)


def grant(request: Grant, wallet: Wallet, share: Wallet | None = None) -> Posting:
    """Credit a customer with a new lot; debt is netted against it in the same transaction.

    The cash of what pays debt accrues to `share`, the reseller's revenue share, if it is given. Raises LedgerFault for
    a request that makes no sense (nothing granted, run out already, cash behind a gift), and InvalidAmount when the
    wallet would hold too much.
    """
    if request.amount <= 0:
        raise LedgerFault(f"{request.lot_id}: a grant must be positive")
    if request.expires_at is not None and request.expires_at <= request.at:
        raise LedgerFault(f"{request.lot_id}: a grant must not have run out")
    if request.cash < 0 or (request.cash and request.kind not in PAID_KINDS):
        raise LedgerFault(f"{request.lot_id}: no cash stands behind a grant of this kind")
    if request.daily is not None and request.daily <= 0:
        raise LedgerFault(f"{request.lot_id}: a daily allowance must be positive")
    _refuse_above_limit(wallet.balance + request.amount)
    lot = Lot(
        id=request.lot_id,
        wallet_id=wallet.id,
        kind=request.kind,
        amount=request.amount,
        remaining=request.amount,
        priority=request.priority,
        expires_at=request.expires_at,
        models=request.models,
        created_at=request.at,
        cash=request.cash,
        ref=request.lot_ref,
        daily=request.daily,
    )
    wallet.balance += request.amount
    net_debt(wallet, [lot], request.at)
    txn = Txn(
        id=request.txn_id,
        tenant_id=request.tenant_id,
        code=request.code,
        ref=request.ref,
        at=request.at,
        entries=(Entry("credit_issued", None, -request.amount), Entry("customer_wallet", wallet.id, request.amount)),
        wallet_id=wallet.id,
        balance_after=wallet.balance,
    )
    accrued = () if share is None else accrual(share, [lot], txn_id=f"{txn.id}_a", ref=lot.id, at=request.at)
    return Posting(txns=[txn, *accrued], lots=[lot])


def take_back(request: TakeBack, wallet: Wallet, lots: Sequence[Lot]) -> Posting | HoldRefused:
    """Take free credit away by hand; refused when less than the amount is free.

    Raises LedgerFault unless the amount is positive.
    """
    if request.amount <= 0:
        raise LedgerFault(f"{request.txn_id}: what is taken back must be positive")
    free = available(wallet, lots, request.at)
    if request.amount > free:
        return HoldRefused(reason="credit", required=request.amount, available=free, affordable_output=0)
    rest = request.amount
    for lot in burn_order(lots):
        if lot.expires_at is None or lot.expires_at > request.at:
            part = min(rest, lot.remaining - lot.reserved)
            lot.remaining -= part
            lot.clawed_back += part
            rest -= part
    wallet.balance -= request.amount
    txn = Txn(
        id=request.txn_id,
        tenant_id=request.tenant_id,
        code=request.code,
        ref=request.ref,
        at=request.at,
        entries=(
            Entry("customer_wallet", wallet.id, -request.amount),
            Entry("credit_issued", None, request.amount),
        ),
        wallet_id=wallet.id,
        balance_after=wallet.balance,
    )
    return Posting(txns=[txn], lots=[])


def move_wholesale(request: WholesaleMove, reseller: Wallet) -> Posting | HoldRefused:
    """Deposit to (or take from, or pay out of) a reseller's account; refused when less than is taken is free.

    Raises LedgerFault for a move of nothing, and InvalidAmount when the wallet would hold too much.
    """
    if request.amount == 0:
        raise LedgerFault(f"{request.txn_id}: a move of nothing")
    _refuse_above_limit(reseller.balance + request.amount)
    free = reseller.balance - reseller.reserved
    if request.amount < 0 and -request.amount > free:
        return HoldRefused(reason="wholesale", required=-request.amount, available=free, affordable_output=0)
    reseller.balance += request.amount
    txn = Txn(
        id=request.txn_id,
        tenant_id=request.tenant_id,
        code=request.code,
        ref=request.ref,
        at=request.at,
        entries=(
            Entry(request.sink, None, -request.amount),
            Entry("reseller_accrual" if reseller.accrues else "reseller_wallet", reseller.id, request.amount),
        ),
        wallet_id=reseller.id,
        balance_after=reseller.balance,
    )
    return Posting(txns=[txn], lots=[])


def expire_lots(
    wallet: Wallet, lots: Sequence[Lot], share: Wallet | None = None, *, txn_prefix: str, tenant_id: int, at: int
) -> Posting:
    """Move the free part of every lot that has run out to breakage. `txn_prefix` makes the transactions' ids.

    The cash behind it accrues to `share`, the reseller's revenue share, if it is given.
    """
    txns = []
    for lot in lots:
        txn = expire_free(wallet, lot, f"{txn_prefix}{lot.id}", tenant_id, at)
        if txn is not None:
            txns.append(txn)
    if share is not None:
        txns += accrual(share, lots, txn_id=f"{txn_prefix}a", ref=f"wallet {wallet.id}", at=at)
    return Posting(txns=txns, lots=[])


def _refuse_above_limit(balance: int) -> None:
    if balance > MAX_AMOUNT_NANO:
        raise InvalidAmount(
            f"The balance would be {format_amount(balance)}, which is too large.",
            fix=f"The largest balance is {format_amount(MAX_AMOUNT_NANO)}.",
        )
