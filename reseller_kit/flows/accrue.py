"""Credits resellers with the cash of what their customers have used up, where the call itself did not.

Calls under a revenue share accrue at once. What is left is for here: paid credit that is used up after a reseller
went over to prepaid, or that was moved in a transaction which knew no revenue share. Moves nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from ..core.ids import new_id
from ..db import operator_payouts
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.ledger import AccrueCash, LedgerWriter

_AT_ONCE: Final = 500


async def accrue(db: Database, ledger: LedgerWriter, *, tenant_id: int | None = None) -> int:
    """Bring every paid lot, or those of one tenant, up to date; how many were looked at. Safe in several processes."""
    seen, last = 0, ""
    while True:
        async with db.read(EVERY_TENANT if tenant_id is None else tenant_id) as connection:
            lots = await operator_payouts.lots_to_accrue(connection, tenant_id, _AT_ONCE, last)
        wallets: defaultdict[tuple[int, int, int], list[str]] = defaultdict(list)
        for lot in lots:
            wallets[lot.tenant_id, lot.wallet_id, lot.share_id].append(lot.id)
        for (owner, wallet_id, share_id), ids in wallets.items():
            await ledger.submit(AccrueCash(new_id("txn"), owner, wallet_id, share_id, tuple(ids), now_us()))
        seen += len(lots)
        if len(lots) < _AT_ONCE:
            return seen
        last = lots[-1].id
