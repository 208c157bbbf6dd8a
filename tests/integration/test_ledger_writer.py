"""The group-committing ledger writer on both databases: batches, refusals, idempotency, concurrency."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import update

from reseller_kit.core.errors import Conflict, LedgerFault
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Hold, HoldRefused, HoldTerms
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.ledger import LedgerWriter, Posted, Settled
from reseller_kit.flows.audit import audit
from tests.support.ledger import add_customer, deposit, grant, hold, make_shop, open_ledger, settle, take, wallet
from tests.support.writer import assert_sound, count, outcomes, watch_batches, watch_failures

# --- Batches ----------------------------------------------------------------------------------------------------------


async def test_what_arrives_together_is_committed_together(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        batches = watch_batches(ledger)
        placed = await asyncio.gather(*(ledger.submit(hold(shop, 1)) for _ in range(64)))
    assert all(isinstance(outcome, Hold) for outcome in placed)
    assert len(batches) <= 2
    assert await wallet(db, shop.wallet_id) == (1_000, 64, 0)


async def test_more_than_one_batch_is_committed_in_several(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 500))
        batches = watch_batches(ledger)
        placed = await asyncio.gather(*(ledger.submit(hold(shop, 1)) for _ in range(600)))
    assert [isinstance(outcome, Hold) for outcome in placed] == [True] * 500 + [False] * 100
    assert max(len(batch.items) for batch in batches) <= 256
    await assert_sound(db)


async def test_a_refused_item_does_not_disturb_the_others_of_its_batch(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        found = await asyncio.gather(*(ledger.submit(hold(shop, amount)) for amount in (400, 400, 400, 201, 200)))
    assert [type(outcome) for outcome in found] == [Hold, Hold, HoldRefused, HoldRefused, Hold]
    assert await count(db, "hold") == 3
    await assert_sound(db)


async def test_what_a_batch_grants_the_same_batch_can_spend(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 300)
    async with open_ledger(db) as ledger:
        found = await outcomes(
            [
                ledger.submit(item)
                for item in (grant(shop, 400), call, settle(shop, call, {"input": 50}), hold(shop, 100), take(shop, 50))
            ]
        )
        assert [type(outcome) for outcome in found] == [Posted, Hold, Settled, Hold, Posted]
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (400 - 150 - 50, 100, 0)


async def test_a_poisoned_item_fails_alone(db: Database) -> None:
    shop = await make_shop(db)
    used = hold(shop, 1)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(used)
        items = [hold(shop, 10) for _ in range(20)]
        items[7] = hold(shop, 10, request_id=used.request.request_id)
        items[13] = hold(shop, 10, request_id="req_\ud800")
        found = await outcomes([ledger.submit(item) for item in items])
    broken = [index for index, outcome in enumerate(found) if not isinstance(outcome, Hold)]
    assert broken == [7, 13]
    assert all(isinstance(found[index], LedgerFault) for index in broken)
    assert await wallet(db, shop.wallet_id) == (1_000, 181, 0)
    await assert_sound(db)


async def test_an_output_limit_is_lowered_to_what_the_wallet_covers(db: Database) -> None:
    shop = await make_shop(db)
    terms = HoldTerms(
        retail_fixed=10_000,
        retail_per_output=1_000,
        wholesale_fixed=0,
        wholesale_per_output=0,
        output_limit=1_000,
        shrink_to=256,
    )
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 610))
        found = await asyncio.gather(*(ledger.submit(hold(shop, 0, terms=terms)) for _ in range(2)))
    assert isinstance(found[0], Hold)
    assert (found[0].output_limit, found[0].retail) == (600, 610)
    assert isinstance(found[1], HoldRefused)


# --- Idempotency ------------------------------------------------------------------------------------------------------


async def test_the_same_key_grants_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        first = await ledger.submit(grant(shop, 700, key="k1"))
        await ledger.submit(grant(shop, 5))
        again = await asyncio.gather(*(ledger.submit(grant(shop, 700, key="k1")) for _ in range(3)))
        both = await asyncio.gather(*(ledger.submit(grant(shop, 40, key="k2")) for _ in range(2)))
        with pytest.raises(Conflict):
            await ledger.submit(grant(shop, 701, key="k1"))
    assert again == [first, first, first]
    assert both[0] == both[1]
    assert (await wallet(db, shop.wallet_id))[0] == 745
    await assert_sound(db)


async def test_the_same_key_twice_in_one_batch_grants_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        batches = watch_batches(ledger)
        one, other, conflict = await outcomes(
            [
                ledger.submit(item)
                for item in (grant(shop, 5, key="k"), grant(shop, 5, key="k"), grant(shop, 6, key="k"))
            ]
        )
    assert [len(batch.items) for batch in batches] == [3]
    assert isinstance(one, Posted)
    assert one == other
    assert isinstance(conflict, Conflict)
    assert await wallet(db, shop.wallet_id) == (5, 0, 0)


async def test_a_key_of_another_storefront_is_another_key(db: Database) -> None:
    shops = [await make_shop(db, slug) for slug in ("aurora", "borealis")]
    async with open_ledger(db) as ledger:
        for shop in shops:
            await ledger.submit(grant(shop, 10, key="same"))
            await ledger.submit(deposit(shop, 30, key="same"))
    for shop in shops:
        assert await wallet(db, shop.wallet_id) == (10, 0, 0)
        assert await wallet(db, shop.reseller_wallet) == (30, 0, 0)


async def test_a_refusal_is_remembered_under_its_key(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10))
        refused = await ledger.submit(take(shop, 50, key="k1"))
        assert isinstance(refused, HoldRefused)
        await ledger.submit(grant(shop, 100))
        assert await ledger.submit(take(shop, 50, key="k1")) == refused
        assert isinstance(await ledger.submit(take(shop, 50, key="k2")), Posted)
    assert await wallet(db, shop.wallet_id) == (60, 0, 0)


async def test_one_key_for_two_wallets_at_once_is_one_grant_and_one_conflict(db: Database) -> None:
    shop = await make_shop(db)
    shops = [shop, await add_customer(db, shop, "lee@aurora.example")]
    async with open_ledger(db) as one, open_ledger(db) as other:
        for round_ in range(5):
            found = await outcomes(
                [
                    one.submit(grant(shops[0], 10 + round_, key=f"k{round_}")),
                    other.submit(grant(shops[1], 20 + round_, key=f"k{round_}")),
                ]
            )
            assert sorted(type(outcome).__name__ for outcome in found) == ["Conflict", "Posted"]
    await assert_sound(db)


# --- Concurrency ------------------------------------------------------------------------------------------------------


async def test_fifty_holds_of_100_on_1000_admit_exactly_ten(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        found = await asyncio.gather(*(ledger.submit(hold(shop, 100)) for _ in range(50)))
    assert sum(isinstance(outcome, Hold) for outcome in found) == 10
    assert await wallet(db, shop.wallet_id) == (1_000, 1_000, 0)
    await assert_sound(db)


@pytest.mark.parametrize("limit", ["credit", "key"])
async def test_two_processes_admit_exactly_ten_between_them(db: Database, ready_database_url: str, limit: str) -> None:
    shop = await make_shop(db)
    key_limit = ["1000"] if limit == "key" else []
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000 if limit == "credit" else 100_000))
    command = [sys.executable, "-m", "tests.support.hold_many", ready_database_url, json.dumps(asdict(shop))]
    processes = [
        subprocess.Popen([*command, "50", "100", *key_limit], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    admitted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(admitted) == 10
    assert (await wallet(db, shop.wallet_id))[1] == 1_000
    await assert_sound(db)


async def test_a_keys_limit_holds_under_concurrency(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as one, open_ledger(db) as other:
        await one.submit(grant(shop, 100_000))
        await one.submit(deposit(shop, 100_000))
        calls = [hold(shop, 100, key_limit=1_000) for _ in range(40)]
        found = await outcomes([(one, other)[i % 2].submit(call) for i, call in enumerate(calls)])
        admitted = [i for i, outcome in enumerate(found) if isinstance(outcome, Hold)]
        assert len(admitted) == 10
        assert {outcome.reason for outcome in found if isinstance(outcome, HoldRefused)} == {"key_limit"}
        for i in admitted[:5]:
            await (one, other)[i % 2].submit(settle(shop, calls[i], {"input": 20}))
        for i in admitted[5:]:
            await (one, other)[i % 2].submit(settle(shop, calls[i], {}))
        assert isinstance(await one.submit(hold(shop, 701, key_limit=1_000)), HoldRefused)
        assert isinstance(await one.submit(hold(shop, 700, key_limit=1_000)), Hold)
        assert (await audit(db)).findings == []


async def test_many_wallets_in_two_writers_never_deadlock(db: Database) -> None:
    shops = [await make_shop(db, f"shop{n}") for n in range(3)]
    customers = [await add_customer(db, shop, f"c{n}@example.com") for n in range(8) for shop in shops]
    chance = random.Random(7)
    async with open_ledger(db) as one, open_ledger(db) as other:
        await asyncio.gather(*(one.submit(grant(shop, 100_000)) for shop in customers))
        await asyncio.gather(*(one.submit(deposit(shop, 1_000_000)) for shop in shops))
        failures = [watch_failures(one), watch_failures(other)]

        async def calls(ledger: LedgerWriter) -> None:
            for _ in range(12):
                shop = chance.choice(customers)
                call = hold(shop, 500, 400, key_limit=chance.choice([None, 90_000]))
                await asyncio.sleep(chance.random() / 200)
                assert isinstance(await ledger.submit(call), Hold)
                assert await ledger.submit(settle(shop, call, {"input": chance.randrange(300)})) is not None

        await asyncio.gather(*(calls(ledger) for ledger in (one, other) for _ in range(25)))
        report = await audit(db)
    assert failures == [[], []]
    assert report.findings == []
    assert report.open_holds == 0
    assert await count(db, "usage_record") == 600


async def test_a_hold_sees_the_lot_that_was_committed_while_it_waited_for_the_wallet(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(
                update(t.account)
                .where(t.account.c.id == shop.wallet_id)
                .values(balance_nano=t.account.c.balance_nano + 50)
            )
            waiting = asyncio.ensure_future(ledger.submit(hold(shop, 50)))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            await connection.execute(
                t.lot.insert().values(
                    id=new_id("lot"),
                    tenant_id=shop.tenant_id,
                    wallet_id=shop.wallet_id,
                    kind="manual",
                    amount_nano=50,
                    remaining_nano=50,
                    models=[],
                    created_at=0,
                )
            )
        assert isinstance(await waiting, Hold)


async def test_any_mix_of_operations_leaves_a_sound_ledger(db: Database) -> None:
    shops = [await make_shop(db, f"shop{n}") for n in range(2)]
    shops += [await add_customer(db, shop, "lee@example.com") for shop in shops]
    chance = random.Random(11)
    async with open_ledger(db) as one, open_ledger(db) as other:

        async def life(shop: Any) -> None:
            for _ in range(30):
                ledger = chance.choice((one, other))
                call = hold(shop, chance.randrange(200), chance.randrange(150), key_limit=chance.choice([None, 5_000]))
                await outcomes(
                    [
                        one.submit(
                            grant(shop, chance.randrange(1, 200), key=f"{shop.customer_id}{chance.randrange(9)}")
                        ),
                        other.submit(deposit(shop, chance.choice((150, 100, -50)))),
                        one.submit(take(shop, chance.randrange(1, 60))),
                    ]
                )
                if isinstance(await ledger.submit(call), Hold):
                    end = settle(shop, call, {"input": chance.randrange(100)} if chance.random() < 0.8 else {})
                    await asyncio.gather(*(ledger.submit(end) for _ in range(chance.choice((1, 2)))))

        await asyncio.gather(*(life(shop) for shop in shops for _ in range(3)))
        report = await audit(db)
    assert report.findings == []
    assert report.open_holds == 0
