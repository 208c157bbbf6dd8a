"""A lot's daily allowance: no more of it is held and spent in a day, whoever asks at once and however holds end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from reseller_kit.core.errors import LedgerFault
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.core.times import DAY_US
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, PlaceHold
from reseller_kit.flows.audit import audit
from tests.support.corruption import codes, corrupt
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle
from tests.support.writer import assert_sound, watch_batches

pytestmark = pytest.mark.usefixtures("one_day")


def later(item: PlaceHold, by: int) -> PlaceHold:
    """The same call at another moment."""
    return PlaceHold(replace(item.request, created_at=item.request.created_at + by), item.call)


async def end(shop: Shop, one: Hold, *ledgers: LedgerWriter) -> None:
    """Settle a hold at nothing, by the one of the processes that placed it."""
    for ledger in ledgers:
        try:
            await ledger.submit(settle(shop, one, {}))
        except LedgerFault:
            continue
        return
    raise AssertionError("nobody placed it")


async def used(db: Database) -> list[tuple[int, int]]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.lot_day.c.day, t.lot_day.c.used_nano))
        return [(row.day, row.used_nano) for row in rows]


async def test_no_more_than_the_allowance_is_held_however_many_ask_at_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as first, open_ledger(db) as second:
        await first.submit(grant(shop, 10_000, daily=1_000))
        asked = [ledger.submit(hold(shop, 100)) for _ in range(25) for ledger in (first, second)]
        found = await asyncio.gather(*asked)
        placed = [one for one in found if isinstance(one, Hold)]
        refused = [one for one in found if isinstance(one, HoldRefused)]
        assert len(placed) == 10
        assert {(one.reason, one.available, one.required) for one in refused} == {("daily_allowance", 0, 100)}
        tomorrow = now_us() // DAY_US * DAY_US + DAY_US
        assert {one.renews_at for one in refused} == {tomorrow}
        assert await used(db) == [(tomorrow - DAY_US, 1_000)]
        await assert_sound(db)
        # What is not spent can be held again on the same day, and a new day has its own.
        for one in placed[:3]:
            await end(shop, one, first, second)
        assert await used(db) == [(tomorrow - DAY_US, 700)]
        again = await asyncio.gather(*(second.submit(hold(shop, 100)) for _ in range(5)))
        assert [isinstance(one, Hold) for one in again] == [True] * 3 + [False] * 2
        next_day = await first.submit(later(hold(shop, 1_000), DAY_US))
        assert isinstance(next_day, Hold)
        assert await used(db) == [(tomorrow, 1_000)]
        # A hold of the day before gives nothing to the new one.
        await end(shop, placed[4], first, second)
        assert await used(db) == [(tomorrow, 1_000)]
        for one in (*placed[3:4], *placed[5:], *(one for one in again if isinstance(one, Hold)), next_day):
            await end(shop, one, first, second)
        assert await used(db) == [(tomorrow, 0)]
    assert (await audit(db)).ok


async def test_a_call_that_waited_past_midnight_counts_on_the_new_day(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000, daily=1_000))
        tomorrow = await ledger.submit(later(hold(shop, 600), DAY_US))
        late = await ledger.submit(hold(shop, 300))
        assert isinstance(tomorrow, Hold)
        assert isinstance(late, Hold)
        assert late.created_at == tomorrow.created_at // DAY_US * DAY_US
        refused = await ledger.submit(hold(shop, 300))
        assert isinstance(refused, HoldRefused)
        assert (refused.reason, refused.available) == ("daily_allowance", 100)
        await ledger.submit(settle(shop, late, {}))
        assert [amount for _, amount in await used(db)] == [600]
        await ledger.submit(settle(shop, tomorrow, {}))
        assert [amount for _, amount in await used(db)] == [0]


async def test_other_credit_takes_over_beyond_it(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000, daily=1_000, priority=-1))
        await ledger.submit(grant(shop, 500))
        placed = await ledger.submit(hold(shop, 1_200))
        assert isinstance(placed, Hold)
        assert [part for _, part in placed.allocations] == [1_000, 200]
        beyond = await ledger.submit(hold(shop, 301))
        assert isinstance(beyond, HoldRefused)
        assert (beyond.reason, beyond.available) == ("daily_allowance", 300)
        never = await ledger.submit(hold(shop, 11_000))
        assert isinstance(never, HoldRefused)
        assert never.reason == "credit"
        await ledger.submit(settle(shop, placed, {}))
    assert (await audit(db)).ok


async def test_what_was_spent_of_a_hold_stays_used_and_survives_a_restart(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000_000, daily=1_000_000))
        placed = await ledger.submit(hold(shop, 900_000))
        assert isinstance(placed, Hold)
        outcome: Any = await ledger.submit(settle(shop, placed, {"input": 10}))
        assert outcome.state == "captured"
    ((_, spent),) = await used(db)
    assert 0 < spent < 900_000
    async with open_ledger(db) as ledger:
        refused = await ledger.submit(hold(shop, 1_000_001 - spent))
        assert isinstance(refused, HoldRefused)
        assert refused.available == 1_000_000 - spent
    assert (await audit(db)).ok


async def test_a_ledger_without_allowances_asks_for_none(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 1_000))
        batches = watch_batches(ledger)
        placed = await ledger.submit(hold(shop, 10))
        assert isinstance(placed, Hold)
        await ledger.submit(settle(shop, placed, {}))
    assert await used(db) == []
    assert all((batch.state.lot_days(), batch.state.days_to_read()) == ([], []) for batch in batches)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE lot_day SET used_nano = used_nano + 1", True),
        ("UPDATE lot_day SET used_nano = used_nano - 1", True),
        ("UPDATE lot_day SET used_nano = 0", True),
        (f"UPDATE lot_day SET day = day - {DAY_US}", True),
        # What stood there before yesterday, no call looks at.
        (f"UPDATE lot_day SET day = day - {3 * DAY_US}", False),
    ],
)
async def test_the_audit_finds_an_allowance_that_counts_wrong(db: Database, statement: str, *, found: bool) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 10**9))
        await ledger.submit(grant(shop, 10_000_000, daily=1_000_000))
        open_one, placed = [await ledger.submit(hold(shop, retail)) for retail in (400_000, 500_000)]
        assert isinstance(open_one, Hold)
        assert isinstance(placed, Hold)
        await ledger.submit(settle(shop, placed, {"input": 10}))
        assert "allowance_used_differs" not in codes(await audit(db))
        await corrupt(db, statement)
        report = await audit(db)
        assert codes(report) == ({"allowance_used_differs"} if found else set())
        assert (await audit(db, tenant=shop.tenant_id + 1)).findings == []


@pytest.mark.parametrize("amount", ["0", "-1"])
async def test_an_allowance_of_nothing_is_refused(db: Database, amount: str) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        with pytest.raises(Exception, match="daily allowance must be positive"):
            await ledger.submit(grant(shop, 1_000, daily=int(amount)))
