"""Calls that are decided from memory go to PostgreSQL in one trip, and only if nothing is new there."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from reseller_kit.core.errors import LedgerFault
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import Checkpoint, LedgerWriter, LostLease, Settled
from reseller_kit.db.ledger.postgres_sql import WRITE, WRITE_ALONE
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle, wallet
from tests.support.writer import assert_sound, count, in_one_trip, outcomes, statements

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


async def fund(ledger: LedgerWriter, *shops: Shop, **options: int) -> None:
    """Credit and wholesale, and a call each: all wallets are remembered then."""
    for shop in shops:
        await asyncio.gather(
            ledger.submit(grant(shop, 1_000, key=None, **options)), ledger.submit(deposit(shop, 1_000))
        )
    for shop in shops:
        placed = hold(shop, 1)
        await ledger.submit(placed)
        await ledger.submit(Checkpoint(placed.request.request_id, shop.tenant_id, "{}"))


def connection_of(ledger: LedgerWriter) -> Any:
    """The ledger's own."""
    return ledger._store._connection  # type: ignore[attr-defined]


async def test_calls_of_several_storefronts_take_one_trip(db: Database) -> None:
    shops = [await make_shop(db, slug) for slug in ("aurora", "borealis")]
    calls = [hold(shop, 100, 80) for shop in shops]
    async with open_ledger(db) as ledger:
        await fund(ledger, *shops)
        async with statements(ledger) as sent:
            await asyncio.gather(*(ledger.submit(call) for call in calls))
            noted = [Checkpoint(call.request.request_id, call.request.tenant_id, '{"seen": 1}') for call in calls]
            await asyncio.gather(*(ledger.submit(item) for item in noted))
            async with db.read(EVERY_TENANT) as connection:
                seen = select(t.hold.c.request_id).where(t.hold.c.checkpoint == '{"seen": 1}')
                assert set(await connection.scalars(seen)) == {call.request.request_id for call in calls}
            ends = [settle(shop, call, {"input": 10}) for shop, call in zip(shops, calls, strict=True)]
            assert await asyncio.gather(*(ledger.submit(end) for end in ends)) == [Settled("captured")] * 2
        assert sent == [WRITE_ALONE] * 3
        for shop in shops:
            assert await wallet(db, shop.wallet_id) == (970, 1, 0)
            assert await wallet(db, shop.reseller_wallet) == (980, 0, 0)
    assert await count(db, "usage_record") == 2
    await assert_sound(db)


async def test_what_it_compares_is_what_was_committed_last(db: Database) -> None:
    shop = await make_shop(db)
    async with db.administer() as connection:
        name = await connection.scalar(text("SELECT current_database()"))
        level = "SET default_transaction_isolation = 'repeatable read'"
        await connection.execute(
            text(f'ALTER DATABASE "{name}" {level}')
        )  # nosemgrep: sql-put-together – a name of ours
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        assert await connection_of(ledger).fetchval("SHOW transaction_isolation") == "read committed"


async def test_what_another_process_is_writing_is_waited_for(db: Database) -> None:
    shop = await make_shop(db)
    a = t.account.c
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        async with db.write(EVERY_TENANT) as other:
            more = update(t.account).where(a.id == shop.reseller_wallet).values(balance_nano=a.balance_nano + 5)
            await other.execute(more)
            placed = ledger.submit(hold(shop, 100, 80))
            async with asyncio.timeout(30):
                while not await other.scalar(waits):
                    await asyncio.sleep(0.01)
        assert isinstance(await placed, Hold)
    assert await wallet(db, shop.reseller_wallet) == (1_005, 80, 0)


async def test_a_checkpoint_beside_a_grant_goes_in_steps(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        call = hold(shop, 100)
        await ledger.submit(call)
        noted = Checkpoint(call.request.request_id, shop.tenant_id, '{"seen": 1}')
        async with statements(ledger) as sent:
            await asyncio.gather(ledger.submit(noted), ledger.submit(grant(shop, 5)))
        assert not {WRITE, WRITE_ALONE} & set(sent)
    async with db.read(EVERY_TENANT) as connection:
        seen = select(t.hold.c.checkpoint).where(t.hold.c.request_id == call.request.request_id)
        assert await connection.scalar(seen) == '{"seen": 1}'


async def test_the_policies_hold_within_the_functions(db: Database) -> None:
    """They run with the rights of who calls them: for other tenants than its own they find no wallet to lock."""
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, other)
        own, versions = connection_of(ledger), ledger._store._memory.versions([shop.wallet_id])  # type: ignore[attr-defined]
        assert versions is not None
        (version, newest), nothing = versions[shop.wallet_id], [()] * 31
        for tenant_id, is_written in ((shop.tenant_id, True), (other.tenant_id, False)):
            lease = (f"{{{tenant_id}}}", ledger.owner, 1)
            arguments = (*lease, [shop.wallet_id], [version], [newest], *nothing)
            assert (await own.fetchval(WRITE, *arguments) is not None) is is_written
        added = (
            f"{{{other.tenant_id}}}",
            ledger.owner,
            1,
            [(version, 0, 0, 0, shop.wallet_id, shop.tenant_id)],
            *[None] * 14,
        )
        with pytest.raises(asyncpg.SerializationError, match="a wallet was written by others"):
            await own.fetchval(WRITE_ALONE, *added)
        assert await own.fetchval(WRITE_ALONE, f"{{{shop.tenant_id}}}", *added[1:]) is not None
        assert await own.fetchval("SELECT current_setting('rk.tenants', true)") == ""


async def test_a_lease_that_was_lost_places_and_settles_nothing(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        call = hold(shop, 100)
        await ledger.submit(call)
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lease).values(epoch=2))
        found = await outcomes([ledger.submit(hold(shop, 5)), ledger.submit(settle(shop, call, {"input": 10}))])
        assert [type(outcome) for outcome in found] == [LostLease, LostLease]
    assert await wallet(db, shop.wallet_id) == (1_000, 101, 0)


@pytest.mark.parametrize("decided", ["from memory", "in steps"])
async def test_a_settle_is_stamped_behind_the_leases_fence(db: Database, decided: str) -> None:
    shop, fence = await make_shop(db), now_us() + 3_600_000_000
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        call = hold(shop, 100)
        await ledger.submit(call)
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lease).values(settled_from=fence))
        if decided == "in steps":
            ledger._store._memory.forget()  # type: ignore[attr-defined]
        async with statements(ledger) as sent:
            await ledger.submit(settle(shop, call, {"input": 10}))
        assert (sent == [WRITE_ALONE]) is (decided == "from memory")
    async with db.read(EVERY_TENANT) as connection:
        assert await connection.scalar(select(t.usage_record.c.settled_at)) == fence


async def test_a_daily_allowance_is_used_in_one_trip_as_well(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, daily=100)
        async with statements(ledger) as sent:
            assert isinstance(await ledger.submit(hold(shop, 90, 1)), Hold)
        assert sent == [WRITE_ALONE]
    async with open_ledger(db) as later:
        assert isinstance(await later.submit(hold(shop, 10)), HoldRefused)


async def test_keys_with_limits_take_one_trip(db: Database) -> None:
    shop = await make_shop(db)
    calls = [hold(shop, 60, 1, key_limit=200) for _ in range(3)]
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        await ledger.submit(calls[0])
        async with statements(ledger) as sent:
            await ledger.submit(settle(shop, calls[0], {"input": 10}))
            await ledger.submit(calls[1])
            assert isinstance(await ledger.submit(hold(shop, 111, key_limit=200)), HoldRefused)
            await ledger.submit(calls[2])
        assert in_one_trip(sent, 4)
    async with open_ledger(db) as later:
        assert isinstance(await later.submit(hold(shop, 51, key_limit=200)), HoldRefused)
        assert isinstance(await later.submit(hold(shop, 50, key_limit=200)), Hold)
        await assert_sound(db)


@pytest.mark.parametrize("changed", ["account", "lot", "key_window"])
async def test_what_another_process_wrote_before_is_read_again_by_itself(db: Database, changed: str) -> None:
    """Whatever row it was, that of two lots, or one that the call does not take from: nothing else is written then."""
    shop, late = await make_shop(db), now_us() + 3_600_000_000
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        for expires_at in (late, late + 1):
            await ledger.submit(grant(shop, 100, expires_at=expires_at))
        await ledger.submit(hold(shop, 10, 8, key_limit=500))
        await ledger.submit(hold(shop, 10, 8, key_limit=500))
        tables = {"account": t.account.c.id == shop.reseller_wallet, "lot": t.lot.c.expires_at == late + 1}
        async with db.administer() as connection:
            row, which = t.metadata.tables[changed], tables.get(changed, t.key_window.c.key_id != "")
            key = next(iter(row.primary_key.columns))
            await connection.execute(update(row).where(which).values({key: key}))
        call = hold(shop, 10, 8, key_limit=500)
        async with statements(ledger) as sent:
            assert isinstance(await ledger.submit(call), Hold)
        assert sent[0] == WRITE_ALONE
        assert len(sent) > 1
        assert await ledger.submit(settle(shop, call, {"input": 1})) == Settled("captured")
        await assert_sound(db)


async def test_a_refusal_depends_on_what_is_there_as_well(db: Database) -> None:
    """It writes nothing, so nothing that is written would tell that another process has deposited."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger, open_ledger(db) as other:
        await fund(ledger, shop)
        assert isinstance(await ledger.submit(hold(shop, 10, 1_200)), HoldRefused)
        await other.submit(deposit(shop, 500))
        assert isinstance(await ledger.submit(hold(shop, 10, 1_200)), Hold)


async def test_a_keys_window_that_was_changed_elsewhere_is_read_again(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        await ledger.submit(hold(shop, 10, key_limit=100))
        async with db.administer() as connection:
            await connection.execute(update(t.key_window).values(spent_nano=85))
        assert isinstance(await ledger.submit(hold(shop, 6, key_limit=100)), HoldRefused)
        assert isinstance(await ledger.submit(hold(shop, 5, key_limit=100)), Hold)


async def test_beside_another_process_what_must_be_the_same_is_read_first_more_and_more_often(db: Database) -> None:
    """A daily allowance is used by the very figures, so a call that another process's came between is read again."""
    shop = await make_shop(db)
    tried = []
    async with open_ledger(db) as ledger, open_ledger(db) as other:
        await fund(ledger, shop, daily=500)
        for _ in range(13):
            await other.submit(hold(shop, 1))
            async with statements(ledger) as sent:
                await ledger.submit(hold(shop, 1))
            tried.append(bool({WRITE, WRITE_ALONE} & set(sent)))
        # The first tells that there is another process at all.
        assert tried == [number in {0, 1, 3, 7} for number in range(13)]
        for _ in range(3):
            async with statements(ledger) as sent:
                await ledger.submit(hold(shop, 1))
        async with statements(ledger) as sent:
            await ledger.submit(hold(shop, 1))
        assert in_one_trip(sent)
        await assert_sound(db)


async def test_an_overage_is_written_down_with_its_call(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        call = hold(shop, 10)
        await ledger.submit(call)
        assert await ledger.submit(settle(shop, call, {"input": 100})) == Settled("captured")
        await assert_sound(db)
    assert await count(db, "overage") == 1
    assert await wallet(db, shop.wallet_id) == (700, 1, 0)


@pytest.mark.parametrize("gone", ["hold", "lot"])
async def test_a_row_that_is_not_there_to_be_written_fails_its_call_alone(db: Database, gone: str) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await fund(ledger, shop, other)
        call, good = hold(shop, 100), hold(other, 100)
        await asyncio.gather(ledger.submit(call), ledger.submit(good))
        async with db.administer() as connection:
            if gone == "hold":
                await connection.execute(delete(t.hold).where(t.hold.c.request_id == call.request.request_id))
            else:
                await connection.execute(delete(t.lot).where(t.lot.c.wallet_id == shop.wallet_id))
        ends = [settle(shop, call, {"input": 10}), settle(other, good, {"input": 10})]
        failed, settled = await outcomes([ledger.submit(end) for end in ends])
        assert isinstance(failed, LedgerFault)
        assert settled == Settled("captured")
    assert await wallet(db, shop.wallet_id) == (1_000, 101, 0)
    assert await count(db, "usage_record") == 1


async def test_the_rollups_wait_for_calls_that_are_under_way(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await fund(ledger, shop)
        call = hold(shop, 100)
        await ledger.submit(call)
        async with db.administer() as holder:
            await holder.execute(text("SELECT FROM account WHERE id = :id FOR UPDATE"), {"id": shop.wallet_id})
            settling = ledger.submit(settle(shop, call, {"input": 10}))
            while not await holder.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                await asyncio.sleep(0.01)
            with pytest.raises(DBAPIError, match="could not obtain lock"):
                async with db.administer() as connection:
                    await connection.execute(text("SELECT FROM lease FOR UPDATE NOWAIT"))
        assert await settling == Settled("captured")
