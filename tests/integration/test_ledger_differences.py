"""Processes that serve one storefront write what each one's calls take, and spend no nano twice (PostgreSQL)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select, text, update

from reseller_kit.core.ledger import Hold, HoldRefused, HoldTerms
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import ExpireLots, Item, LedgerWriter, LostLease, PlaceHold, Settled
from tests.support.ledger import (
    Shop,
    add_customer,
    deposit,
    grant,
    hold,
    make_shop,
    open_ledger,
    settle,
    take,
    wallet,
)
from tests.support.writer import assert_sound, in_one_trip, outcomes, statements, watch_failures

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])

LIMIT = 500


class Pair:
    """Two processes that know of each other, on one storefront with credit and wholesale of 1,000 and a key's limit."""

    def __init__(self, db: Database, shop: Shop, one: LedgerWriter, other: LedgerWriter) -> None:
        self.db, self.shop, self.one, self.other = db, shop, one, other
        self.failures = [watch_failures(one), watch_failures(other)]
        """What the database refused: nothing where the checks work, as its own would come too late."""

    async def remember(self) -> None:
        """Each of them has all of the storefront in mind, as it was before the other one's last call."""
        for ledger in (self.one, self.other):
            await ledger.submit(hold(self.shop, 1, 1, key_limit=LIMIT))
            await ledger.submit(hold(self.shop, 0, key_limit=LIMIT))
            ledger._store._beside = 64  # type: ignore[attr-defined]

    async def free(self) -> tuple[int, int]:
        """Of the customer's wallet and the reseller's."""
        amounts = [await wallet(self.db, id_) for id_ in (self.shop.wallet_id, self.shop.reseller_wallet)]
        return amounts[0][0] - amounts[0][1], amounts[1][0] - amounts[1][1]


@asynccontextmanager
async def a_pair(db: Database, **terms: Any) -> AsyncIterator[Pair]:
    shop = await make_shop(db)
    async with open_ledger(db) as one, open_ledger(db) as other:
        await asyncio.gather(one.submit(grant(shop, 1_000, **terms)), one.submit(deposit(shop, 1_000)))
        pair = Pair(db, shop, one, other)
        await pair.remember()
        yield pair


async def held(ledger: LedgerWriter, item: PlaceHold) -> tuple[Hold, bool]:
    """A hold that is placed, and whether it took one trip."""
    async with statements(ledger) as sent:
        outcome = await ledger.submit(item)
    assert isinstance(outcome, Hold)
    return outcome, in_one_trip(sent)


async def test_calls_of_one_customer_take_one_trip_in_each_process(db: Database) -> None:
    async with a_pair(db) as pair:
        for _ in range(5):
            for ledger in (pair.one, pair.other):
                call = hold(pair.shop, 20, 10, key_limit=LIMIT)
                assert (await held(ledger, call))[1]
                async with statements(ledger) as sent:
                    assert await ledger.submit(settle(pair.shop, call, {"input": 3})) == Settled("captured")
                assert in_one_trip(sent)
        assert await wallet(db, pair.shop.wallet_id) == (1_000 - 10 * 9, 2, 0)
        assert await wallet(db, pair.shop.reseller_wallet) == (1_000 - 10 * 6, 2, 0)
        await assert_sound(db)


async def test_processes_learn_of_each_other_by_themselves_and_forget(db: Database) -> None:
    shop = await make_shop(db)
    other_shop = await add_customer(db, shop, "lee@aurora.example")
    async with open_ledger(db) as one, open_ledger(db) as other:
        await asyncio.gather(*(one.submit(grant(each, 1_000)) for each in (shop, other_shop)))
        await one.submit(deposit(shop, 1_000))
        taken = []
        for _ in range(3):
            taken.append((await held(one, hold(shop, 1, 1)))[1])
            await other.submit(hold(other_shop, 1, 1))
        assert taken == [False, False, True]
        store: Any = one._store
        for _ in range(65):  # the first of which still meets the other one's
            assert (await held(one, hold(shop, 1, 1)))[1]
        assert store._beside == 0
        assert (await held(one, hold(shop, 1, 1)))[1]
        await assert_sound(db)


@pytest.mark.parametrize(
    ("retail", "wholesale", "limit"),
    [(998, 0, None), (0, 998, None), (498, 0, LIMIT)],
    ids=["credit", "wholesale", "key"],
)
async def test_to_the_last_nano_of(db: Database, retail: int, wholesale: int, limit: int | None) -> None:
    async with a_pair(db) as pair:
        await pair.other.submit(hold(pair.shop, retail and 98, wholesale and 98, key_limit=limit))
        rest = max(retail, wholesale) - 98
        too_much = hold(pair.shop, retail and rest + 1, wholesale and rest + 1, key_limit=limit)
        refused = await pair.one.submit(too_much)
        assert isinstance(refused, HoldRefused)
        assert (refused.required, refused.available) == (rest + 1, rest)
        await pair.other.submit(hold(pair.shop, retail and 1, wholesale and 1, key_limit=limit))
        pair.one._store._in_steps = 0  # type: ignore[attr-defined]
        last = hold(pair.shop, retail and rest - 1, wholesale and rest - 1, key_limit=limit)
        assert (await held(pair.one, last))[1]
        for ledger in (pair.other, pair.one):
            again = await ledger.submit(hold(pair.shop, retail and 1, wholesale and 1, key_limit=limit))
            assert isinstance(again, HoldRefused)
        assert pair.failures == [[], []]
        await assert_sound(db)


@pytest.mark.parametrize("short", ["credit", "wholesale", "key"])
async def test_processes_at_once_admit_exactly_what_is_there(db: Database, short: str) -> None:
    async with a_pair(db) as pair:
        retail, wholesale = (7, 0) if short != "wholesale" else (0, 7)
        limit = LIMIT if short == "key" else None
        calls = [hold(pair.shop, retail, wholesale, key_limit=limit) for _ in range(300)]
        asked = [(pair.one, pair.other)[n % 2].submit(call) for n, call in enumerate(calls)]
        placed = sum(isinstance(outcome, Hold) for outcome in await asyncio.gather(*asked))
        assert placed == (498 if short == "key" else 998) // 7
        assert pair.failures == [[], []]
        await assert_sound(db)


@pytest.mark.parametrize("wallet_of", ["customer", "reseller"])
async def test_what_another_process_is_taking_is_waited_for(db: Database, wallet_of: str) -> None:
    a, lot = t.account.c, t.lot.c
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with a_pair(db) as pair:
        wallet_id = pair.shop.wallet_id if wallet_of == "customer" else pair.shop.reseller_wallet
        async with db.write(EVERY_TENANT) as taking:
            taken = update(t.account).where(a.id == wallet_id).values(reserved_nano=a.reserved_nano + 990)
            await taking.execute(taken)
            if wallet_of == "customer":
                await taking.execute(update(t.lot).values(reserved_nano=lot.reserved_nano + 990))
            asked = pair.one.submit(hold(pair.shop, 9, 9))
            async with asyncio.timeout(30):
                while not await taking.scalar(waits):
                    await asyncio.sleep(0.01)
        refused = await asked
        assert isinstance(refused, HoldRefused)
        assert refused.available == 8
        assert pair.failures == [[], []]


async def taken_by_hand(pair: Pair) -> None:
    await pair.other.submit(take(pair.shop, 995))


async def another_lot(pair: Pair) -> None:
    await pair.other.submit(grant(pair.shop, 10, priority=-1))


async def used_up(pair: Pair) -> None:
    call = hold(pair.shop, 998)
    await pair.other.submit(call)
    await pair.other.submit(settle(pair.shop, call, {"input": 332}))


async def in_debt(pair: Pair) -> None:
    call = hold(pair.shop, 10)
    await pair.other.submit(call)
    await pair.other.submit(settle(pair.shop, call, {"input": 400}))


@pytest.mark.parametrize("between", [taken_by_hand, another_lot, used_up, in_debt])
async def test_what_others_did_to_the_credit_is_seen(db: Database, between: Callable[[Pair], Any]) -> None:
    async with a_pair(db) as pair:
        await between(pair)
        async with statements(pair.one) as sent:
            found = await pair.one.submit(hold(pair.shop, 6))
        assert not in_one_trip(sent)
        assert isinstance(found, Hold) is (between is another_lot)
        if isinstance(found, Hold):
            async with db.read(EVERY_TENANT) as connection:
                first = await connection.scalar(select(t.lot.c.id).where(t.lot.c.priority == -1))
            assert found.allocations == [(first, 6)]
        await assert_sound(db)


async def test_what_is_released_pays_a_debt_that_another_process_made(db: Database) -> None:
    async with a_pair(db) as pair:
        mine, theirs = hold(pair.shop, 100), hold(pair.shop, 898)
        await pair.one.submit(mine)
        await pair.other.submit(theirs)
        await pair.other.submit(settle(pair.shop, theirs, {"input": 320}))
        assert await wallet(db, pair.shop.wallet_id) == (1_000 - 960, 102, 62)
        await pair.one.submit(settle(pair.shop, mine, {"input": 10}))
        assert await wallet(db, pair.shop.wallet_id) == (1_000 - 960 - 30, 2, 0)
        await assert_sound(db)


async def test_a_lot_that_ran_out_between_gives_nothing(db: Database) -> None:
    async with a_pair(db, expires_at=now_us() + 3_600_000_000) as pair:
        late = now_us() + 7_200_000_000
        await pair.other.submit(ExpireLots("txn_sweep", pair.shop.tenant_id, pair.shop.wallet_id, late))
        refused = await pair.one.submit(hold(pair.shop, 1))
        assert isinstance(refused, HoldRefused)
        assert refused.available == 0


async def test_a_lot_whose_terms_were_changed_by_hand_is_read_again(db: Database) -> None:
    async with a_pair(db) as pair:
        await held(pair.one, hold(pair.shop, 1))
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lot).values(expires_at=now_us() - 1))
        assert isinstance(await pair.one.submit(hold(pair.shop, 1)), HoldRefused)


async def test_a_lot_is_used_up_though_each_remembers_a_rest(db: Database) -> None:
    async with a_pair(db) as pair:
        calls = [hold(pair.shop, 480, 1), hold(pair.shop, 500, 1)]
        assert isinstance(await pair.other.submit(calls[0]), Hold)
        assert (await held(pair.one, calls[1]))[1]
        await pair.one.submit(settle(pair.shop, calls[1], {"input": 166, "output": 0}))
        await pair.other.submit(settle(pair.shop, calls[0], {"input": 160}))
        last = hold(pair.shop, 20)
        assert isinstance(await pair.one.submit(last), Hold)
        await pair.one.submit(settle(pair.shop, last, {"input": 6}))
        assert await pair.free() == (1_000 - 498 - 480 - 18 - 2, 1_000 - 332 - 320 - 12 - 2)
        await assert_sound(db)


async def test_each_transaction_has_the_balance_behind_it(db: Database) -> None:
    async with a_pair(db) as pair:
        ids = []
        for number in range(8):
            ledger = (pair.one, pair.other)[number % 2]
            call = hold(pair.shop, 30, 20)
            await ledger.submit(call)
            async with statements(ledger) as sent:
                await ledger.submit(settle(pair.shop, call, {"input": number + 1}))
            assert in_one_trip(sent)
            ids.append("txn_" + call.request.request_id.partition("_")[2])
        async with db.read(EVERY_TENANT) as connection:
            rows = await connection.execute(select(t.txn.c.id, t.txn.c.balance_after_nano))
            behind = {row.id: row.balance_after_nano for row in rows}
        spent = [3 * (number + 1) for number in range(8)]
        assert [behind[txn_id] for txn_id in ids] == [1_000 - sum(spent[: n + 1]) for n in range(8)]
        await assert_sound(db)


async def test_what_was_learnt_is_remembered_for_what_is_exact(db: Database) -> None:
    async with a_pair(db) as pair:
        await pair.other.submit(hold(pair.shop, 100, 200, key_limit=LIMIT))
        assert (await held(pair.one, hold(pair.shop, 50, 60, key_limit=LIMIT)))[1]
        for asked, available in (
            (hold(pair.shop, 849), 848),
            (hold(pair.shop, 0, 739), 738),
            (hold(pair.shop, 349, key_limit=LIMIT), 348),
        ):
            async with statements(pair.one) as sent:
                refused = await pair.one.submit(asked)
            assert in_one_trip(sent)
            assert isinstance(refused, HoldRefused)
            assert refused.available == available


async def test_an_output_limit_is_lowered_to_what_is_there_now(db: Database) -> None:
    terms = HoldTerms(
        retail_fixed=0,
        retail_per_output=1_000,
        wholesale_fixed=0,
        wholesale_per_output=0,
        output_limit=2_000,
        shrink_to=256,
    )
    async with a_pair(db) as pair:
        await pair.other.submit(hold(pair.shop, 400))
        lowered = await pair.one.submit(hold(pair.shop, 0, terms=terms))
        assert isinstance(lowered, Hold)
        assert lowered.output_limit == 1_000 - 400 - 2
        await assert_sound(db)


async def test_a_lease_that_was_lost_adds_nothing(db: Database) -> None:
    async with a_pair(db) as pair:
        before = await pair.free()
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lease).where(t.lease.c.owner == pair.one.owner).values(epoch=2))
        found = await outcomes([pair.one.submit(hold(pair.shop, 5, 5))])
        assert [type(outcome) for outcome in found] == [LostLease]
        assert await pair.free() == before


async def test_a_key_whose_window_is_gone_is_read_again(db: Database) -> None:
    async with a_pair(db) as pair:
        await held(pair.one, hold(pair.shop, 1))
        async with db.administer() as connection:
            await connection.execute(text("DELETE FROM key_window"))
        assert isinstance(await pair.one.submit(hold(pair.shop, LIMIT, key_limit=LIMIT)), Hold)
        assert pair.failures == [[], []]


# --- Any order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
async def test_two_processes_in_any_order_are_as_one_that_reads_all(db: Database, seed: int) -> None:
    """The same items for two storefronts: of one by two processes from memory, of the other by one that has none."""
    shops = [await make_shop(db, slug) for slug in ("aurora", "borealis")]
    families = [[shop, await add_customer(db, shop, "lee@x.example")] for shop in shops]
    async with open_ledger(db) as one, open_ledger(db) as other, open_ledger(db) as reading:
        script = _Script(seed)
        at_once = 0
        for _ in range(80):
            writer, plan = script.batch()
            found = []
            for family, ledger in zip(families, ((one, other)[writer], reading), strict=True):
                store: Any = ledger._store
                if ledger is reading:
                    store._memory.forget()
                else:
                    store._in_steps, store._beside = 0, 64
                items = [script.item(family, step) for step in plan]
                async with statements(ledger) as sent:
                    answers = await outcomes([ledger.submit(item) for item in items])
                found.append([script.told(family, answer) for answer in answers])
                at_once += in_one_trip(sent) and ledger is not reading
            assert found[0] == found[1], plan
        assert at_once > 20
        assert await _rows(db, families[0]) == await _rows(db, families[1])
        await assert_sound(db)


class _Script:
    """Batches by chance, as steps that are made into items of each storefront."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # which cases are tried, no secret
        self._number = 0
        self._open: list[tuple[int, int, int, int, int | None]] = []
        self._lots: dict[str, int] = {}
        self._calls: dict[tuple[int, int], PlaceHold] = {}
        self._begun = False

    def batch(self) -> tuple[int, list[tuple[Any, ...]]]:
        """Which process, and what it does."""
        pick, writer = self._random, self._random.randrange(2)
        if not self._begun:
            self._begun = True
            return 0, [("grant", 0, 2_000), ("grant", 1, 600), ("deposit", 2_000)]
        if pick.random() < 0.12:
            credit = ("grant", pick.randrange(2), pick.randrange(50, 300))
            return writer, [pick.choice([credit, credit, ("take", pick.randrange(2), 20), ("deposit", 300)])]
        plan: list[tuple[Any, ...]] = []
        for _ in range(pick.randrange(1, 5)):
            mine = [call for call in self._open if call[0] == writer]
            if mine and pick.random() < 0.45:
                call = pick.choice(mine)
                self._open.remove(call)
                plan.append(("end", call, pick.choice([0, 20, 50, 100, 100, 110])))
            else:
                self._number += 1
                limit = pick.choice([None, None, 1_000])
                call = (writer, self._number, pick.randrange(2), 3 * pick.randrange(0, 25), limit)
                plan.append(("hold", call))
                self._open.append(call)
        return writer, plan

    def item(self, family: Sequence[Shop], step: tuple[Any, ...]) -> Item:
        """The step as this storefront's."""
        kind, *values = step
        if kind == "deposit":
            return deposit(family[0], values[0])
        if kind == "grant":
            return grant(family[values[0]], values[1])
        if kind == "take":
            return take(family[values[0]], values[1])
        _, number, customer, amount, limit = values[0]
        shop = family[customer]
        if kind == "hold":
            placed = hold(shop, amount, 2 * amount // 3, key_limit=limit)
            self._calls[shop.tenant_id, number] = placed
            return placed
        return settle(shop, self._calls[shop.tenant_id, number], {"input": amount * values[1] // 300})

    def told(self, family: Sequence[Shop], answer: Any) -> object:
        """An answer without names."""
        if isinstance(answer, Hold):
            return ("held", answer.retail, answer.wholesale, [part for _, part in answer.allocations])
        if isinstance(answer, HoldRefused):
            return ("refused", answer.reason, answer.required, answer.available)
        if isinstance(answer, Settled):
            return answer
        return (type(answer).__name__, getattr(answer, "balance", None))


async def _rows(db: Database, family: Sequence[Shop]) -> list[list[tuple[Any, ...]]]:
    """What a storefront's tables say, without names."""
    tenant_id, a, lot, w = family[0].tenant_id, t.account.c, t.lot.c, t.key_window.c
    figures = [lot.amount_nano, lot.remaining_nano, lot.reserved_nano, lot.consumed_nano, lot.clawed_back_nano]
    behind = [t.txn.c.code, t.txn.c.balance_after_nano]
    statements = [
        select(a.kind, a.balance_nano, a.reserved_nano, a.debt_nano).where(a.tenant_id == tenant_id).order_by(a.id),
        select(*figures, lot.used_up).where(lot.tenant_id == tenant_id).order_by(lot.created_at, lot.id),
        select(w.spent_nano, w.reserved_nano).where(w.tenant_id == tenant_id).order_by(w.key_id),
        select(*behind).where(t.txn.c.tenant_id == tenant_id).order_by(*behind),
    ]
    async with db.read(EVERY_TENANT) as connection:
        return [[tuple(row) for row in (await connection.execute(statement)).all()] for statement in statements]
