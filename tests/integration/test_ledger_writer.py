"""The group-committing ledger writer on both databases: batches, refusals, idempotency, concurrency, faults."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import delete, func, make_url, select, text, update

from reseller_kit.core.errors import Conflict, LedgerFault, NotFound, ServiceUnavailable
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Hold, HoldRefused, HoldTerms
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database
from reseller_kit.db.ledger import Item, LedgerWriter, LostLease, Outcome, Posted, Settled
from reseller_kit.db.ledger.batch import Batch
from reseller_kit.db.ledger.store import OutcomeUnknown
from reseller_kit.flows.audit import audit
from tests.support.ledger import add_customer, deposit, grant, hold, make_shop, open_ledger, settle, take, wallet

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '% ledger'"


async def outcomes(awaitables: list[Any]) -> list[Outcome | BaseException]:
    return list(await asyncio.gather(*awaitables, return_exceptions=True))


def watch_batches(ledger: LedgerWriter) -> list[Batch]:
    """Every batch that the writer hands to its store from now on."""
    seen: list[Batch] = []
    run = ledger._store.run

    async def watched(batch: Batch) -> None:
        seen.append(batch)
        await run(batch)

    ledger._store.run = watched  # type: ignore[method-assign]
    return seen


def fail_batches(ledger: LedgerWriter, fault: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
    """Let `fault` run each batch from now on; it is given the real thing to call."""
    run = ledger._store.run
    ledger._store.run = lambda batch: fault(lambda: run(batch))  # type: ignore[assignment, method-assign, return-value]


async def count(db: Database, table: str) -> int:
    async with db.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(t.metadata.tables[table])) or 0)


async def assert_sound(db: Database) -> None:
    """The audit has nothing to say but that calls are open."""
    report = await audit(db)
    assert [finding for finding in report.findings if finding["code"] != "hold_of_dead_owner"] == []


# --- Batches ---------------------------------------------------------------------------------------------------


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


# --- Idempotency -----------------------------------------------------------------------------------------------


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


# --- Concurrency -----------------------------------------------------------------------------------------------


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

        async def calls(ledger: LedgerWriter) -> None:
            for _ in range(12):
                shop = chance.choice(customers)
                call = hold(shop, 500, 400, key_limit=chance.choice([None, 90_000]))
                await asyncio.sleep(chance.random() / 200)
                assert isinstance(await ledger.submit(call), Hold)
                assert await ledger.submit(settle(shop, call, {"input": chance.randrange(300)})) is not None

        await asyncio.gather(*(calls(ledger) for ledger in (one, other) for _ in range(25)))
        report = await audit(db)
    assert report.findings == []
    assert report.open_holds == 0
    assert await count(db, "usage_record") == 600


async def test_a_hold_sees_the_lot_that_was_committed_while_it_waited_for_the_wallet(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        async with db.write() as connection:
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


# --- Settling --------------------------------------------------------------------------------------------------


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
        soon = calls[-1].request.created_at + 200_000
        await ledger.submit(grant(shop, 120, expires_at=soon))
        placed = await asyncio.gather(*(ledger.submit(call) for call in calls))
        assert all(isinstance(outcome, Hold) for outcome in placed)
        await asyncio.sleep(0.25)
        ends = [settle(shop, call, {"input": number}) for number, call in enumerate(calls)]
        at = max(end.capture.at for end in ends)
        ends = [structs.replace(end, capture=structs.replace(end.capture, at=at)) for end in ends]
        found = await asyncio.gather(*(ledger.submit(end) for end in ends))
        assert all(isinstance(outcome, Settled) for outcome in found)
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (0, 0, 0)


# --- Leases ----------------------------------------------------------------------------------------------------


async def test_a_process_without_its_lease_changes_nothing(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        async with db.write() as connection:
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


# --- Faults ----------------------------------------------------------------------------------------------------


async def test_closing_waits_for_what_was_submitted(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))

        async def slowly(run: Callable[[], Awaitable[None]]) -> None:
            await asyncio.sleep(0.05)
            await run()

        fail_batches(ledger, slowly)
        waiting = [ledger.submit(hold(shop, 1)) for _ in range(300)]
        await asyncio.sleep(0)
    found = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert all(isinstance(outcome, Hold) for outcome in found)
    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(ledger.submit(hold(shop, 1)), 1)


async def test_a_caller_that_left_before_its_hold_was_decided_gets_none(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 5)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        await ledger.submit(call)
        left = ledger.submit(hold(shop, 100))
        left.cancel()
        ending = ledger.submit(settle(shop, call, {"input": 1}))
        ending.cancel()
        await ledger.submit(hold(shop, 7))
    assert await wallet(db, shop.wallet_id) == (997, 7, 0)


async def test_an_answer_lost_after_the_commit_is_found_again(db: Database) -> None:
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await asyncio.gather(
            ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)), ledger.submit(call)
        )
        lost = 0

        async def lose_the_answer(run: Callable[[], Awaitable[None]]) -> None:
            nonlocal lost
            await run()
            lost += 1
            if lost == 1:
                raise OutcomeUnknown

        fail_batches(ledger, lose_the_answer)
        items: list[Item] = [
            hold(shop, 30),
            settle(shop, call, {"input": 10}),
            grant(shop, 50),
            take(shop, 20),
            deposit(shop, -5),
        ]
        items += [hold(shop, 5_000), grant(shop, 8, key="k")]
        found = await outcomes([ledger.submit(item) for item in items])
        assert lost == 2
        assert [type(outcome) for outcome in found] == [Hold, Settled, Posted, Posted, Posted, HoldRefused, Posted]
        assert isinstance(found[0], Hold)
        assert (found[0].retail, found[0].retail_version, found[0].state) == (30, shop.retail, "open")
        assert (await audit(db)).findings == []
    assert await wallet(db, shop.wallet_id) == (1_000 - 30 + 50 - 20 + 8, 30, 0)
    assert await wallet(db, shop.reseller_wallet) == (1_000 - 20 - 5, 0, 0)


async def test_a_database_that_is_away_fails_everything_at_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        tries = 0
        away = True

        async def refuse(run: Callable[[], Awaitable[None]]) -> None:
            nonlocal tries
            tries += 1
            if away:
                raise ConnectionRefusedError
            await run()

        fail_batches(ledger, refuse)
        found = await outcomes([ledger.submit(hold(shop, 1)) for _ in range(100)])
        assert all(isinstance(outcome, ServiceUnavailable) for outcome in found)
        assert tries <= 4
        away = False
        assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
    assert await wallet(db, shop.wallet_id) == (1_000, 1, 0)


async def test_a_lost_connection_is_made_anew(db: Database, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("an embedded database has no connection to lose")
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        async with db.write() as connection:
            await connection.execute(text(END_SESSIONS))
        assert isinstance(await ledger.submit(hold(shop, 1)), Hold)
    assert await wallet(db, shop.wallet_id) == (1_000, 1, 0)


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A way to the database that swallows the answer to a COMMIT and hangs up, as often as its list has entries."""
    target = make_url(url)
    cuts: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(target.host, target.port)
        swallow = False

        async def back() -> None:
            while data := await upstream.read(65536):
                if swallow:
                    break
                writer.write(data)
            writer.close()
            to_server.close()

        answers = asyncio.create_task(back())
        while data := await reader.read(65536):
            if cuts and b"COMMIT" in data:
                swallow = bool(cuts.pop())
            to_server.write(data)
        to_server.close()
        await answers

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), cuts
    server.close()


async def test_a_connection_that_breaks_at_the_commit_neither_loses_nor_doubles(db: Database, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("an embedded database has no connection to lose")
    shop = await make_shop(db)
    call = hold(shop, 100)
    async with cutting_proxy(db.url.render_as_string(hide_password=False)) as (url, cuts):
        far = Database(url)
        async with open_ledger(far) as ledger:
            await asyncio.gather(ledger.submit(grant(shop, 1_000)), ledger.submit(deposit(shop, 1_000)))
            await ledger.submit(call)
            for item, kind in (
                (hold(shop, 30), Hold),
                (settle(shop, call, {"input": 10}), Settled),
                (grant(shop, 5), Posted),
            ):
                cuts.append("cut")
                assert isinstance(await ledger.submit(item), kind)
                assert cuts == []
            cuts += ["cut", "cut"]
            with pytest.raises(ServiceUnavailable):
                await ledger.submit(grant(shop, 2, key="k"))
            assert await ledger.submit(grant(shop, 2, key="k")) is not None
            assert (await audit(db)).findings == []
        await far.close()
    assert await wallet(db, shop.wallet_id) == (1_000 - 30 + 5 + 2, 30, 0)


async def test_another_processs_lock_is_waited_for(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        async with db.write() as connection:
            await connection.execute(update(t.account).where(t.account.c.id == shop.wallet_id).values(debt_nano=0))
            waiting = [ledger.submit(hold(shop, 1)) for _ in range(10)]
            await asyncio.sleep(0.3)
            assert not any(future.done() for future in waiting)
        found = await asyncio.gather(*waiting)
    assert all(isinstance(outcome, Hold) for outcome in found)


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
