"""A process of its own that redeems one voucher for many customers at once: `redeem_many URL VOUCHER SHOPS`.

It waits for a line on stdin, so that several start together, and prints how each attempt ended.
"""

from __future__ import annotations

import asyncio
import json
import sys

from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Redemption
from reseller_kit.db.engine import Database, now_us
from reseller_kit.db.ledger import RedeemVoucher, open_writer
from tests.support.ledger import Shop


def redemption(voucher_id: str, shop: Shop) -> RedeemVoucher:
    """One customer's attempt."""
    return RedeemVoucher(
        Redemption(
            voucher_id=voucher_id,
            customer_id=shop.customer_id,
            tenant_id=shop.tenant_id,
            wallet_id=shop.wallet_id,
            lot_id=new_id("lot"),
            txn_id=new_id("txn"),
            at=now_us(),
        )
    )


async def redeem_many(url: str, voucher_id: str, shops: list[Shop]) -> list[str]:
    """The type of each outcome."""
    db = Database(url)
    writer = open_writer(db)
    await writer.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = []
    for start in range(0, len(shops), 5):
        attempts = [writer.submit(redemption(voucher_id, shop)) for shop in shops[start : start + 5]]
        found += await asyncio.gather(*attempts, return_exceptions=True)
    await writer.close()
    await db.close()
    return [type(outcome).__name__ for outcome in found]


if __name__ == "__main__":
    url, voucher_id, shops = sys.argv[1:]
    print(json.dumps(asyncio.run(redeem_many(url, voucher_id, [Shop(**shop) for shop in json.loads(shops)]))))
