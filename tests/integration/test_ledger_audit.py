"""`ledger audit` finds every kind of corruption, and nothing on a sound ledger."""

from __future__ import annotations

import asyncio

from reseller_kit.core.ledger import Hold
from reseller_kit.db.engine import Database
from reseller_kit.flows.audit import audit
from reseller_kit.flows.explain import explain
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle


async def test_a_sound_ledger_has_no_findings(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000_000))
        await ledger.submit(deposit(shop, 1_000_000))
        call = hold(shop, 500_000, 400_000, key_limit=600_000)
        placed = await ledger.submit(call)
        assert isinstance(placed, Hold)
        await ledger.submit(settle(shop, call, {"input": 1000, "output": 20}))
        await asyncio.gather(ledger.submit(hold(shop, 5)), ledger.submit(hold(shop, 5, 4)))
        report = await audit(db)
    print(report, await explain(db, placed.request_id))
    assert report.ok
