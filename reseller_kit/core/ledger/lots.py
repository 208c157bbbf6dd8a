"""What happens to lots in every decision: free credit is consumed, pays debt, or expires, and its cash accrues.

Reserves nothing. A lot's cash belongs to the reseller as far as the lot is consumed or expired: always
`cash × (consumed + expired) // amount`, whatever the steps, so that the steps sum to exactly its cash.
"""

from __future__ import annotations

from collections.abc import Sequence

from .state import Entry, Lot, Txn, Wallet, burn_order


def net_debt(wallet: Wallet, lots: Sequence[Lot], now: int) -> None:
    """Pay debt from free lots of any model scope: balance stays, debt and remaining fall together."""
    if not wallet.debt:
        return
    for lot in burn_order(lots):
        if lot.expires_at is None or lot.expires_at > now:
            wallet.debt -= consume(lot, wallet.debt)


def consume(lot: Lot, wanted: int) -> int:
    """Consume up to `wanted` of the lot's free part; how much it was."""
    part = max(0, min(wanted, lot.remaining - lot.reserved))
    lot.remaining -= part
    lot.consumed += part
    return part


def expire_free(wallet: Wallet, lot: Lot, txn_id: str, tenant_id: int, at: int) -> Txn | None:
    """Move the free part of a lot that has run out to breakage; None when there is nothing to move."""
    free = lot.remaining - lot.reserved
    if lot.expires_at is None or lot.expires_at > at or free <= 0:
        return None
    lot.remaining -= free
    lot.expired += free
    wallet.balance -= free
    return Txn(
        id=txn_id,
        tenant_id=tenant_id,
        code="expiry",
        ref=lot.id,
        at=at,
        entries=(Entry("customer_wallet", wallet.id, -free), Entry("breakage", None, free)),
        wallet_id=wallet.id,
        balance_after=wallet.balance,
    )


def cash_of(lot: Lot, part: int) -> int:
    """The cash behind `part` of a lot's amount, rounded down: never more than steps of that size accrue."""
    return lot.cash * part // lot.amount if lot.cash else 0


def accrue(share: Wallet, lots: Sequence[Lot]) -> int:
    """Credit the cash of what is consumed and expired of these lots to the reseller's revenue share; how much.

    Less than zero where a lot has got back what it had consumed or lost.
    """
    change = 0
    for lot in lots:
        if lot.cash:
            due = cash_of(lot, lot.consumed + lot.expired)
            change += due - lot.accrued
            lot.accrued = due
    share.balance += change
    return change


def accrual(share: Wallet, lots: Sequence[Lot], *, txn_id: str, ref: str, at: int) -> list[Txn]:
    """`accrue` as a transaction; none when nothing changes."""
    return _cash_txn(share, accrue(share, lots), "accrual", txn_id, ref, at)


def return_cash(
    share: Wallet, lots: Sequence[Lot], lot: Lot, *, owed_before: int, owed_after: int, txn_id: str, ref: str, at: int
) -> list[Txn]:
    """After a refund took of a lot (or gave back): its cash leaves the reseller's revenue share again (or returns).

    `owed_before` and `owed_after` are what refunds have made into debt in all, which the lot itself does not show;
    `lots` are the wallet's, of which others may have paid that debt.
    """
    change = cash_of(lot, owed_before) - cash_of(lot, owed_after)
    share.balance += change
    txns = _cash_txn(share, change, "accrual_return", f"{txn_id}_r", ref, at)
    return txns + accrual(share, lots, txn_id=f"{txn_id}_a", ref=ref, at=at)


def _cash_txn(share: Wallet, change: int, code: str, txn_id: str, ref: str, at: int) -> list[Txn]:
    if not change:
        return []
    entries = (Entry("customer_cash", None, -change), Entry("reseller_accrual", share.id, change))
    return [
        Txn(
            id=txn_id,
            tenant_id=share.tenant_id,
            code=code,
            ref=ref,
            at=at,
            entries=entries,
            wallet_id=share.id,
            balance_after=share.balance,
        )
    ]


def shortfall(parts: Sequence[tuple[Lot, int]], wholesale: int) -> int:
    """The most that a call of `wholesale` can take from a revenue share if it is charged to these parts in order.

    A charge that ends early has used the first parts alone, which may have less cash behind them than the rest.
    """
    retail = sum(part for _, part in parts)
    worst = 0 if retail else wholesale
    taken = cash = 0
    for lot, part in parts:
        taken += part
        cash += cash_of(lot, part)
        worst = max(worst, -(-wholesale * taken // retail) - cash)
    return worst
