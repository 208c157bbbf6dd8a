"""How holds end: settled once, by whom it may be, and what that does to lots, debt and expiry."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs
from sqlalchemy import delete, select, update

from reseller_kit.core.errors import LedgerFault, NotFound
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import Checkpoint, Item, LostLease, Settled
from reseller_kit.flows.audit import audit
from reseller_kit.flows.expire import expire
from tests.support.ledger import add_customer, deposit, grant, hold, make_shop, open_ledger, settle, take, wallet
from tests.support.writer import assert_sound, count

LATER = 4_000_000_000_000_000


async def run_out(db: Database) -> None:
    """Lots that were to expire `LATER` expired a second ago."""
    async with db.write(EVERY_TENANT) as connection:
        c = t.lot.c
        await connection.execute(update(t.lot).where(c.expires_at == LATER).values(expires_at=now_us() - 1_000_000))


async def test_a_replayed_settle_charges_once(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 500, 400)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
        await ledger.submit(call)
        replays = [
            settle(shop, call, {"input": 100}),
            settle(shop, call, {"input": 100}),
            settle(shop, call, {"input": 9}),
        ]
        found = await asyncio.gather(*(ledger.submit(item) for item in replays))
        assert found == [Settled("captured"), *[Settled("captured", repeated=True)] * 2]
        assert await ledger.submit(settle(shop, call, {})) == Settled("captured", repeated=True)
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (700, 0, 0)
    assert await wallet(db, shop.reseller_wallet) == (800, 0, 0)


async def test_a_settle_without_a_hold_writes_nothing(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        with pytest.raises(LedgerFault):
            await ledger.submit(settle(shop, hold(shop, 5), {"input": 1}))
    assert await count(db, "usage_record") == 0


async def test_a_settle_must_name_the_wallets_and_the_period_of_its_hold(db: Database) -> None:
    shop = await make_shop(db)
    other = await add_customer(db, shop, "lee@aurora.example")
    call, limited = hold(shop, 50), hold(shop, 50, key_limit=500)
    async with open_ledger(db) as ledger:
        await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(grant(other, 1_000)))
        await asyncio.gather(ledger.submit(call), ledger.submit(limited))
        wrong: list[Item] = [
            settle(other, call, {"input": 1}),
            structs.replace(settle(shop, call, {"input": 1}), window=(shop.key_id, 0)),
            structs.replace(settle(shop, limited, {"input": 1}), window=None),
        ]
        for item in wrong:
            with pytest.raises(LedgerFault):
                await ledger.submit(item)
        assert (await audit(db)).findings == []
        assert await wallet(db, shop.wallet_id) == (1_000, 100, 0)


async def test_a_settle_whose_usage_record_says_another_charge_is_refused(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 50)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        good, other = settle(shop, call, {"input": 1}), settle(shop, call, {"input": 2})
        with pytest.raises(LedgerFault):
            await ledger.submit(structs.replace(good, usage=other.usage))
        assert await ledger.submit(good) == Settled("captured")


async def test_an_overage_becomes_debt_and_the_next_grant_pays_it(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 100))
        await ledger.submit(call)
        await ledger.submit(settle(shop, call, {"input": 50}))
        assert await wallet(db, shop.wallet_id) == (-50, 0, 50)
        assert isinstance(await ledger.submit(hold(shop, 1)), HoldRefused)
        await ledger.submit(grant(shop, 80))
        assert await wallet(db, shop.wallet_id) == (30, 0, 0)
        assert (await audit(db)).findings == []


async def test_holds_of_expired_lots_settle_at_one_moment(db: Database) -> None:
    shop = await make_shop(db)
    calls = [hold(shop, 20) for _ in range(6)]
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 120, expires_at=LATER))
        placed = await asyncio.gather(*(ledger.submit(call) for call in calls))
        assert all(isinstance(outcome, Hold) for outcome in placed)
        await run_out(db)
        ends = [settle(shop, call, {"input": number}) for number, call in enumerate(calls)]
        at = max(end.capture.at for end in ends)
        ends = [structs.replace(end, capture=structs.replace(end.capture, at=at)) for end in ends]
        found = await asyncio.gather(*(ledger.submit(end) for end in ends))
        assert all(isinstance(outcome, Settled) for outcome in found)
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (0, 0, 0)


async def test_a_checkpoint_is_kept_with_an_open_hold_and_the_last_one_wins(db: Database) -> None:
    shop = await make_shop(db)
    calls = [hold(shop, 10) for _ in range(3)]
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 100))
        await asyncio.gather(*(ledger.submit(call) for call in calls))
        await ledger.submit(settle(shop, calls[2], {"input": 1}))
        items = [Checkpoint(call.request.request_id, shop.tenant_id, f"{n}") for n in range(20) for call in calls]
        await asyncio.gather(*(ledger.submit(item) for item in items))
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.hold.c.checkpoint).order_by(t.hold.c.request_id))
        assert [row.checkpoint for row in rows] == ["19", "19", None]


async def test_lots_that_ran_out_go_to_breakage_but_for_what_is_reserved(db: Database) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    call = hold(shop, 30)
    async with open_ledger(db) as ledger, open_ledger(db) as second:
        await asyncio.gather(
            ledger.submit(grant(shop, 100, expires_at=LATER)),
            ledger.submit(grant(shop, 7, expires_at=LATER + 1)),
            ledger.submit(grant(other, 9, expires_at=LATER)),
            ledger.submit(grant(other, 4)),
        )
        await ledger.submit(call)
        assert await expire(db, ledger) == 0
        await run_out(db)
        assert sum(await asyncio.gather(expire(db, ledger), expire(db, second))) == 2
        assert await wallet(db, shop.wallet_id) == (37, 30, 0)
        assert await wallet(db, other.wallet_id) == (4, 0, 0)
        assert (await audit(db)).findings == []
        await ledger.submit(settle(shop, call, {"input": 4}))
        assert await expire(db, ledger) == 0
        assert await wallet(db, shop.wallet_id) == (7, 0, 0)
        assert (await audit(db)).findings == []


# --- Leases and storefronts -------------------------------------------------------------------------------------------


async def test_a_process_without_its_lease_changes_nothing(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(delete(t.lease))
        for item in (hold(shop, 100), settle(shop, call, {"input": 5}), grant(shop, 5)):
            with pytest.raises(LostLease):
                await ledger.submit(item)
    assert await wallet(db, shop.wallet_id) == (1_000, 100, 0)
    assert await count(db, "usage_record") == 0


async def test_a_hold_is_settled_by_its_owner_or_in_its_name_only(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as owner, open_ledger(db) as other:
        await owner.submit(grant(shop, 1_000))
        await owner.submit(call)
        with pytest.raises(LedgerFault):
            await other.submit(settle(shop, call, {"input": 5}))
        with pytest.raises(LedgerFault):
            await other.submit(settle(shop, call, {"input": 5}, owner=owner.owner, epoch=7))
        owner.epoch = 0
        with pytest.raises(LostLease):
            await owner.submit(settle(shop, call, {"input": 5}))
        assert await other.submit(settle(shop, call, {"input": 5}, owner=owner.owner, epoch=1)) == Settled("captured")


async def test_a_process_that_began_again_has_no_claim_on_its_earlier_calls(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lease).where(t.lease.c.owner == ledger.owner).values(epoch=2))
        ledger.epoch = 2
        with pytest.raises(LedgerFault):
            await ledger.submit(settle(shop, call, {"input": 5}))
        assert await wallet(db, shop.wallet_id) == (1_000, 100, 0)
        ending = settle(shop, call, {"input": 5}, owner=ledger.owner, epoch=1)
        assert await ledger.submit(ending) == Settled("captured")


async def test_survivors_settle_a_dead_processes_holds_once(db: Database) -> None:
    shop = await make_shop(db)
    calls = [hold(shop, 10) for _ in range(20)]
    async with open_ledger(db) as dead:
        await dead.submit(grant(shop, 1_000))
        await asyncio.gather(*(dead.submit(call) for call in calls))
    async with open_ledger(db) as one, open_ledger(db) as other:
        ends = [settle(shop, call, {"input": 2}, owner=dead.owner, epoch=1) for call in calls]
        found = await asyncio.gather(*(ledger.submit(end) for end in ends for ledger in (one, other)))
    assert sum(outcome == Settled("captured") for outcome in found) == 20
    assert sum(outcome == Settled("captured", repeated=True) for outcome in found) == 20
    assert await wallet(db, shop.wallet_id) == (880, 0, 0)
    await assert_sound(db)


async def test_a_wallet_of_another_storefront_does_not_exist(db: Database) -> None:
    shop, foreign = await make_shop(db), await make_shop(db, "borealis")
    mixed = replace(shop, wallet_id=foreign.wallet_id)
    stolen = replace(shop, reseller_wallet=foreign.reseller_wallet)
    async with open_ledger(db) as ledger:
        await asyncio.gather(*(ledger.submit(grant(each, 100)) for each in (shop, foreign)))
        await asyncio.gather(*(ledger.submit(deposit(each, 100)) for each in (shop, foreign)))
        items: list[Item] = [hold(mixed, 5), hold(stolen, 5, 5), grant(mixed, 5), take(mixed, 5), deposit(stolen, 5)]
        for item in items:
            with pytest.raises(NotFound):
                await ledger.submit(item)
    assert await wallet(db, foreign.wallet_id) == (100, 0, 0)
    assert await wallet(db, foreign.reseller_wallet) == (100, 0, 0)
