"""A process of its own that places many holds at once on one wallet: `hold_many URL SHOP COUNT AMOUNT [KEY_LIMIT]`.

It waits for a line on stdin, so that several start together, and prints how many were admitted.
"""

from __future__ import annotations

import asyncio
import json
import sys

from reseller_kit.core.ledger import Hold
from reseller_kit.db.engine import Database
from tests.support.ledger import Shop, hold, open_ledger


async def hold_many(url: str, shop: Shop, count: int, amount: int, key_limit: int | None) -> int:
    db = Database(url)
    async with open_ledger(db) as ledger:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        items = [hold(shop, amount, key_limit=key_limit) for _ in range(count)]
        outcomes = []
        for start in range(0, count, 5):
            outcomes += await asyncio.gather(*(ledger.submit(item) for item in items[start : start + 5]))
    await db.close()
    return sum(isinstance(outcome, Hold) for outcome in outcomes)


if __name__ == "__main__":
    url, shop, count, amount, *limit = sys.argv[1:]
    key_limit = int(limit[0]) if limit else None
    print(asyncio.run(hold_many(url, Shop(**json.loads(shop)), int(count), int(amount), key_limit)))
