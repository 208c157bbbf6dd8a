"""A rotated key carries on where the old one was: rotating gives nobody a limit anew."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows.audit import audit
from reseller_kit.flows.keys import NewKey, rotate_key, show_key
from reseller_kit.flows.unlock import unlock
from tests.support.factories import SECRET_KEY
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle

LIMIT = 2_000
# 100 tokens in and 50 out: retail 900 nano-USD.
USED = {"input": 100, "output": 50}


async def limited_shop(db: Database, slug: str = "aurora") -> Shop:
    shop = await make_shop(db, slug)
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.api_key).where(t.api_key.c.id == shop.key_id).values(limit_nano=LIMIT))
    return shop


async def rotate(db: Database, key_id: str) -> NewKey:
    return await rotate_key(db, await unlock(db, SECRET_KEY), key_id, None, "test")


async def test_what_was_spent_and_is_reserved_counts_for_the_new_key(db: Database) -> None:
    shop = await limited_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 50_000))
        await ledger.submit(deposit(shop, 50_000))
        done, under_way = (hold(shop, 900, 600, key_limit=LIMIT) for _ in range(2))
        await ledger.submit(done)
        await ledger.submit(settle(shop, done, USED))
        await ledger.submit(under_way)
        made = await rotate(db, shop.key_id)
        assert made.use is not None
        assert (made.use.spent, made.use.reserved) == (1_800, 0)
        renewed = replace(shop, key_id=made.owned.key.id)
        refused = await ledger.submit(hold(renewed, 201, key_limit=LIMIT))
        assert isinstance(refused, HoldRefused)
        assert (refused.reason, refused.available) == ("key_limit", 200)
        last = hold(renewed, 200, key_limit=LIMIT)
        assert isinstance(await ledger.submit(last), Hold)
        await ledger.submit(settle(renewed, last, {"input": 50}))
        await ledger.submit(settle(shop, under_way, USED))
    assert (await audit(db)).findings == []


async def test_rotating_twice_carries_everything_on(db: Database) -> None:
    shop = await limited_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 50_000))
        await ledger.submit(deposit(shop, 50_000))
        key_id = shop.key_id
        for _ in range(2):
            mine = replace(shop, key_id=key_id)
            placed = hold(mine, 900, 600, key_limit=LIMIT)
            await ledger.submit(placed)
            await ledger.submit(settle(mine, placed, USED))
            key_id = (await rotate(db, key_id)).owned.key.id
    view = await show_key(db, key_id, None)
    assert view.use is not None
    assert view.use.spent == 1_800
    assert (await audit(db)).findings == []


async def test_a_key_that_spent_nothing_or_has_no_limit_is_rotated_as_well(db: Database) -> None:
    shop = await make_shop(db)
    assert (await rotate(db, shop.key_id)).use is None
    limited = await limited_shop(db, "boreal")
    use = (await rotate(db, limited.key_id)).use
    assert use is not None
    assert use.spent == 0
