"""What happens to lots in every decision: free credit is consumed, pays debt, or expires. Reserves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from .state import Entry, Lot, Txn, Wallet, burn_order


def net_debt(wallet: Wallet, lots: Sequence[Lot], now: int) -> None:
    """Pay debt from free lots of any model scope: balance stays, debt and remaining fall together."""
    for lot in burn_order(lots) if wallet.debt else ():
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
