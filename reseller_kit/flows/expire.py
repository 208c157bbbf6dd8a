"""Moves credit that has run out to breakage, for every storefront. Takes nothing that a call has reserved."""

from __future__ import annotations

from typing import Final

from ..core.ids import new_id
from ..db import operator_expiry
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.ledger import ExpireLots, LedgerWriter, Posted

_AT_ONCE: Final = 200


async def expire(db: Database, ledger: LedgerWriter) -> int:
    """Expire the lots of up to 200 wallets that have any; how many wallets. Safe to run in several processes."""
    at = now_us()
    async with db.read(EVERY_TENANT) as connection:
        wallets = await operator_expiry.expired_wallets(connection, at, _AT_ONCE)
    expired = 0
    for wallet in wallets:
        item = ExpireLots(new_id("txn"), wallet.tenant_id, wallet.wallet_id, at, wallet.share_id)
        outcome = await ledger.submit(item)
        expired += isinstance(outcome, Posted) and outcome.amount < 0
    return expired
