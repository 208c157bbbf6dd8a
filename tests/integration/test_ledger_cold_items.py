"""Vouchers, reversals, clawbacks and refund holds by the ledger writer, on both databases and under races."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InvalidRequest, LedgerFault, NotFound
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Clawback, Hold, RefundRequest
from reseller_kit.db import tables as t
from reseller_kit.db import vouchers
from reseller_kit.db.calls import find_call
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import ClawBack, ExpireLots, HoldRefund, LedgerWriter, Posted, ResolveRefund
from reseller_kit.db.ledger.store import OutcomeUnknown
from reseller_kit.db.vouchers import VoucherRow
from reseller_kit.flows import refunds
from reseller_kit.flows.audit import audit
from reseller_kit.flows.corrections import reverse_charge
from reseller_kit.flows.refunds import Payment
from tests.support.ledger import Shop, add_customer, deposit, grant, hold, make_shop, open_ledger, settle, take, wallet
from tests.support.redeem_many import redemption
from tests.support.writer import assert_sound, count, fail_batches, outcomes, watch_batches

pytestmark = pytest.mark.thorough


async def make_voucher(db: Database, shop: Shop, **changes: Any) -> str:
    values: dict[str, Any] = {
        "id": new_id("vch"),
        "tenant_id": shop.tenant_id,
        "batch": "spring",
        "prefix": "ABCD",
        "amount_nano": 500,
        "models": (),
        "valid_days": None,
        "expires_at": None,
        "max_redemptions": 1,
        "redeemed": 0,
        "revoked_at": None,
        "created_at": now_us(),
    }
    row = VoucherRow(**(values | changes))
    async with db.write(EVERY_TENANT) as connection:
        await vouchers.add(connection, shop.tenant_id, [row], [row.id.encode()])
    return row.id


async def lots_of(db: Database, shop: Shop) -> dict[str, Any]:
    """Lot id → its row."""
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.lot).where(t.lot.c.wallet_id == shop.wallet_id))
        return {row.id: row for row in rows}


def clawback(shop: Shop, lot_id: str, target: int) -> Clawback:
    return Clawback(
        txn_id=new_id("txn"),
        tenant_id=shop.tenant_id,
        wallet_id=shop.wallet_id,
        lot_id=lot_id,
        target=target,
        at=now_us(),
        new_lot_id=new_id("lot"),
    )


def refund(shop: Shop, lot_id: str, amount: int) -> RefundRequest:
    return RefundRequest(
        refund_id=new_id("rfd"),
        tenant_id=shop.tenant_id,
        customer_id=shop.customer_id,
        wallet_id=shop.wallet_id,
        reseller_wallet_id=shop.reseller_wallet,
        lot_id=lot_id,
        amount=amount,
        at=now_us(),
    )


async def make_call(ledger: LedgerWriter, shop: Shop, retail: int, quantities: dict[str, int]) -> str:
    """A captured call; its id."""
    call = hold(shop, retail, 10_000)
    assert isinstance(await ledger.submit(call), Hold)
    await ledger.submit(settle(shop, call, quantities))
    return call.request.request_id


async def reverse(db: Database, slug: str, request_id: str, amount: int | None = None) -> Posted:
    done = await reverse_charge(
        db, tenant_slug=slug, request_id=request_id, amount=amount, reason="It was wrong", actor="test"
    )
    return done.posted


# --- Vouchers ---------------------------------------------------------------------------------------------------------


async def test_two_processes_of_fifty_customers_redeem_one_voucher_once(db: Database, ready_database_url: str) -> None:
    first = await make_shop(db)
    shops = [first, *[await add_customer(db, first, f"c{n}@aurora.example") for n in range(49)]]
    voucher_id = await make_voucher(db, first)
    command = [sys.executable, "-m", "tests.support.redeem_many", ready_database_url, voucher_id]
    processes = [
        subprocess.Popen(
            [*command, json.dumps([asdict(shop) for shop in part])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in (shops[:25], shops[25:])
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = [name for process in processes for name in json.loads(process.communicate(timeout=60)[0])]
    assert sorted(found) == ["Conflict"] * 49 + ["Posted"]
    assert (await count(db, "voucher_redemption"), await count(db, "lot")) == (1, 1)
    await assert_sound(db)


async def test_fifty_tries_of_one_customer_are_one_redemption(db: Database) -> None:
    shop = await make_shop(db)
    voucher_id = await make_voucher(db, shop, max_redemptions=50)
    async with open_ledger(db) as one, open_ledger(db) as other:
        found = await outcomes([(one, other)[n % 2].submit(redemption(voucher_id, shop)) for n in range(50)])
    assert sorted(type(outcome).__name__ for outcome in found) == ["Conflict"] * 49 + ["Posted"]
    assert await wallet(db, shop.wallet_id) == (500, 0, 0)
    await assert_sound(db)


async def test_a_voucher_for_many_counts_each_customer_up_to_its_limit(db: Database) -> None:
    first = await make_shop(db)
    shops = [first, *[await add_customer(db, first, f"c{n}@aurora.example") for n in range(9)]]
    voucher_id = await make_voucher(db, first, max_redemptions=4)
    async with open_ledger(db) as one, open_ledger(db) as other:
        found = await outcomes([(one, other)[n % 2].submit(redemption(voucher_id, s)) for n, s in enumerate(shops)])
    assert sum(isinstance(outcome, Posted) for outcome in found) == 4
    await assert_sound(db)


@pytest.mark.parametrize("changes", [{"revoked_at": 5}, {"expires_at": 5}])
async def test_what_can_not_be_redeemed_looks_unknown_and_grants_nothing(db: Database, changes: Any) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    ids = [await make_voucher(db, shop, **changes), await make_voucher(db, other), new_id("vch")]
    async with open_ledger(db) as ledger:
        found = await outcomes([ledger.submit(redemption(voucher_id, shop)) for voucher_id in ids])
    assert {(type(error), str(error)) for error in found} == {(NotFound, "There is no such voucher code.")}
    assert (await count(db, "lot"), await count(db, "txn"), await count(db, "voucher_redemption")) == (0, 0, 0)


async def test_a_voucher_pays_debt_like_any_grant(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        await ledger.submit(grant(shop, 100))
        await make_call(ledger, shop, 100, {"input": 100})
        assert await wallet(db, shop.wallet_id) == (-200, 0, 200)
        await ledger.submit(redemption(await make_voucher(db, shop), shop))
    assert await wallet(db, shop.wallet_id) == (300, 0, 0)
    await assert_sound(db)


# --- Reversed charges -------------------------------------------------------------------------------------------------


async def test_a_charge_goes_back_to_its_lots_and_wholesale_follows(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        promo, paid = grant(shop, 100, expires_at=now_us() + 10**9), grant(shop, 1_000)
        await ledger.submit(promo)
        await ledger.submit(paid)
        request_id = await make_call(ledger, shop, 800, {"input": 100})
        before = await lots_of(db, shop)
        assert [before[lot.grant.lot_id].remaining_nano for lot in (promo, paid)] == [0, 800]
        posted = await reverse(db, "aurora", request_id, 250)
        after = await lots_of(db, shop)
        assert [after[lot.grant.lot_id].remaining_nano for lot in (promo, paid)] == [50, 1_000]
        assert (posted.amount, posted.balance) == (250, 1_050)
        assert (await wallet(db, shop.reseller_wallet))[0] == 100_000 - 200 + 200 * 250 // 300
        with pytest.raises(Conflict, match="reversed already"):
            await reverse(db, "aurora", request_id)
        assert (await audit(db)).findings == []
    async with db.read(EVERY_TENANT) as connection:
        retail = await connection.scalar(select(t.usage_record.c.retail_nano).where(t.usage_record.c.id == request_id))
    assert retail == 300


async def test_an_overage_is_noted_and_unwound_debt_first(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        first, second = grant(shop, 100), grant(shop, 150)
        await ledger.submit(first)
        batches = watch_batches(ledger)
        call = hold(shop, 100, 10_000)
        await ledger.submit(call)
        await ledger.submit(second)
        await ledger.submit(settle(shop, call, {"input": 100}))
        assert [len(batch.cold.overages) for batch in batches] == [0, 0, 1]
        request_id = call.request.request_id
        async with db.read(EVERY_TENANT) as connection:
            facts = await find_call(connection, shop.tenant_id, request_id)
        assert facts is not None
        assert facts.overage == [(second.grant.lot_id, 150), ("", 50)]
        assert await wallet(db, shop.wallet_id) == (-50, 0, 50)
        await reverse(db, "aurora", request_id, 60)
        assert await wallet(db, shop.wallet_id) == (10, 0, 0)
        assert {row.id: row.remaining_nano for row in (await lots_of(db, shop)).values()} == {
            first.grant.lot_id: 0,
            second.grant.lot_id: 10,
        }
        assert (await audit(db)).findings == []


async def test_fifty_reversals_of_one_call_are_one(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        await ledger.submit(grant(shop, 1_000))
        request_id = await make_call(ledger, shop, 800, {"input": 100})
    found = await outcomes([reverse(db, "aurora", request_id, 100) for _ in range(10)])
    assert sorted(type(outcome).__name__ for outcome in found) == ["Conflict"] * 9 + ["Posted"]
    assert (await wallet(db, shop.wallet_id))[0] == 800
    await assert_sound(db)


@pytest.mark.parametrize("amount", [None, 300])
async def test_all_of_a_charge_is_reversed_whether_its_amount_is_named_or_not(db: Database, amount: int | None) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        await ledger.submit(grant(shop, 1_000))
        request_id = await make_call(ledger, shop, 800, {"input": 100})
    assert (await reverse(db, "aurora", request_id, amount)).amount == 300
    assert await wallet(db, shop.wallet_id) == (1_000, 0, 0)
    await assert_sound(db)


async def test_a_lot_that_ran_out_used_up_shows_what_it_got_back_as_expired(db: Database) -> None:
    """Nothing remains of it before and behind, yet what was consumed has become breakage."""
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        lent = grant(shop, 300, expires_at=now_us() + 10**9)
        await ledger.submit(lent)
        request_id = await make_call(ledger, shop, 300, {"input": 100})
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lot).values(expires_at=now_us() - 1))
        await reverse(db, "aurora", request_id, 200)
    lot = (await lots_of(db, shop))[lent.grant.lot_id]
    assert (lot.remaining_nano, lot.consumed_nano, lot.expired_nano) == (0, 100, 200)
    assert (await audit(db)).findings == []


async def test_refunds_of_one_lot_whose_answer_was_lost_end_as_the_last_one_said(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        bought = grant(shop, 1_000)
        await ledger.submit(bought)
        lot_id = bought.grant.lot_id
        lost: list[bool] = []

        async def lose_first(run: Any) -> None:
            await run()
            if not lost:
                lost.append(True)
                raise OutcomeUnknown

        fail_batches(ledger, lose_first)
        asked = [ClawBack(clawback(shop, lot_id, target)) for target in (600, 600, 200)]
        answers = await asyncio.gather(*(ledger.submit(item) for item in asked))
        assert [type(answer) for answer in answers] == [Posted] * 3
    assert await wallet(db, shop.wallet_id) == (800, 0, 0)
    assert (await lots_of(db, shop))[lot_id].clawed_back_nano == 200
    assert (await audit(db)).findings == []


async def test_a_call_that_was_paid_by_debt_alone_is_reversed_once(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        request_id = await make_call(ledger, shop, 0, {"input": 100})
        assert await wallet(db, shop.wallet_id) == (-300, 0, 300)
        await reverse(db, "aurora", request_id, 200)
        with pytest.raises(Conflict, match="reversed already"):
            await reverse(db, "aurora", request_id, 50)
    assert await wallet(db, shop.wallet_id) == (-100, 0, 100)
    assert (await audit(db)).findings == []


async def test_what_can_not_be_reversed_is_refused_and_changes_nothing(db: Database) -> None:
    shop = await make_shop(db)
    await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        await ledger.submit(grant(shop, 1_000))
        charged = await make_call(ledger, shop, 800, {"input": 100})
        free = await make_call(ledger, shop, 10, {})
        under_way = hold(shop, 10)
        await ledger.submit(under_way)
    cases = [
        ("aurora", charged, 301, InvalidRequest),
        ("aurora", charged, 0, InvalidRequest),
        ("aurora", charged, -1, InvalidRequest),
        ("aurora", free, None, InvalidRequest),
        ("aurora", under_way.request.request_id, None, Conflict),
        ("aurora", new_id("req"), None, NotFound),
        ("aurora", "req_'; DROP TABLE txn", None, NotFound),
        ("borealis", charged, None, NotFound),
    ]
    before = (await wallet(db, shop.wallet_id), await count(db, "txn"))
    for slug, request_id, amount, error in cases:
        with pytest.raises(error):
            await reverse(db, slug, request_id, amount)
    assert (await wallet(db, shop.wallet_id), await count(db, "txn")) == before


# --- Clawbacks and refund holds ---------------------------------------------------------------------------------------


async def test_refunds_take_the_difference_and_their_end_gives_it_back(db: Database) -> None:
    shop = await make_shop(db)
    bought = grant(shop, 1_200)
    lot_id = bought.grant.lot_id
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        await ledger.submit(bought)
        await make_call(ledger, shop, 500, {"input": 100})

        async def claw(refunded: int) -> Posted:
            payment = Payment(paid=1_000, refunded=refunded)
            return await refunds.claw_back(db, ledger, shop.tenant_id, lot_id, payment, ref="order 7")

        assert [(await claw(n)).amount for n in (333, 333, 500, 1_000, 500, 0)] == [-400, 0, -200, -600, 600, 600]
        assert await wallet(db, shop.wallet_id) == (900, 0, 0)
        assert (await audit(db)).findings == []
        with pytest.raises(InvalidRequest):
            await refunds.claw_back(db, ledger, shop.tenant_id, lot_id, Payment(paid=0, refunded=0), ref="")
        with pytest.raises(NotFound):
            await refunds.claw_back(db, ledger, shop.tenant_id + 1, lot_id, Payment(paid=1, refunded=1), ref="")


async def test_any_order_of_refund_deliveries_ends_in_one_state(db: Database) -> None:
    chance = random.Random(5)
    first = await make_shop(db)
    ends = set()
    async with open_ledger(db) as one, open_ledger(db) as other:
        await one.submit(deposit(first, 1_000_000))
        for number in range(4):
            shop = await add_customer(db, first, f"c{number}@aurora.example")
            bought = grant(shop, 1_000)
            await one.submit(bought)
            await make_call(one, shop, 700, {"input": 200})
            targets = [100, 350, 350, 800, 800]
            chance.shuffle(targets)
            await asyncio.gather(
                *(
                    chance.choice((one, other)).submit(ClawBack(clawback(shop, bought.grant.lot_id, target)))
                    for target in targets
                )
            )
            await one.submit(ClawBack(clawback(shop, bought.grant.lot_id, 800)))
            ends.add(await wallet(db, shop.wallet_id))
        assert (await audit(db)).findings == []
    assert ends == {(-400, 0, 400)}


async def test_an_expired_part_is_taken_out_of_breakage(db: Database) -> None:
    shop = await make_shop(db)
    soon = now_us() + 10**9
    bought = grant(shop, 1_000, expires_at=soon)
    async with open_ledger(db) as ledger:
        await ledger.submit(bought)
        await ledger.submit(ExpireLots(new_id("txn"), shop.tenant_id, shop.wallet_id, soon))
        posted = await ledger.submit(ClawBack(clawback(shop, bought.grant.lot_id, 400)))
    assert isinstance(posted, Posted)
    assert (posted.amount, posted.balance) == (-400, 0)
    row = (await lots_of(db, shop))[bought.grant.lot_id]
    assert (row.remaining_nano, row.expired_nano, row.clawed_back_nano) == (0, 600, 400)
    await assert_sound(db)


async def test_a_pending_refund_is_held_from_calls_and_then_consumed_or_released(db: Database) -> None:
    shop = await make_shop(db)
    bought = grant(shop, 1_000)
    lot_id = bought.grant.lot_id
    half = Payment(paid=500, refunded=250)
    async with open_ledger(db) as ledger:
        await ledger.submit(bought)
        held = await refunds.hold_refund(db, ledger, shop.tenant_id, lot_id, half)
        assert held.amount == 500
        assert await wallet(db, shop.wallet_id) == (1_000, 500, 0)
        assert not isinstance(await ledger.submit(hold(shop, 501)), Hold)
        assert (await audit(db)).findings == []

        async def answer(refund_id: str, *, went_through: bool) -> Posted:
            return await refunds.resolve_refund(
                db, ledger, shop.tenant_id, refund_id, half, went_through=went_through, ref="order 7"
            )

        await answer(held.id, went_through=False)
        assert await wallet(db, shop.wallet_id) == (1_000, 0, 0)
        await answer(held.id, went_through=False)
        with pytest.raises(Conflict):
            await answer(held.id, went_through=True)
        again = await refunds.hold_refund(db, ledger, shop.tenant_id, lot_id, half)
        assert (await answer(again.id, went_through=True)).amount == -500
        assert (await answer(again.id, went_through=True)).amount == 0
        assert await wallet(db, shop.wallet_id) == (500, 0, 0)
        with pytest.raises(InvalidRequest, match="nothing left"):
            await refunds.hold_refund(db, ledger, shop.tenant_id, lot_id, half)
        with pytest.raises(NotFound):
            await answer(new_id("rfd"), went_through=True)
        assert (await audit(db)).findings == []


async def test_a_call_is_no_refund_and_a_refund_no_call(db: Database) -> None:
    shop = await make_shop(db)
    bought = grant(shop, 1_000)
    call = hold(shop, 100)
    async with open_ledger(db) as ledger:
        await ledger.submit(bought)
        await ledger.submit(call)
        request = clawback(shop, bought.grant.lot_id, 10)
        with pytest.raises(NotFound):
            await ledger.submit(ResolveRefund(call.request.request_id, request, went_through=False))
        held = await ledger.submit(HoldRefund(refund(shop, bought.grant.lot_id, 50)))
        assert isinstance(held, Posted)
        with pytest.raises(LedgerFault):
            await ledger.submit(settle(shop, hold(shop, 50, request_id=held.id), {}))
    assert await wallet(db, shop.wallet_id) == (1_000, 150, 0)


async def test_a_refused_item_disturbs_none_of_its_batch(db: Database) -> None:
    shop = await make_shop(db)
    bought = grant(shop, 1_000)
    async with open_ledger(db) as ledger:
        found = await outcomes(
            [
                ledger.submit(item)
                for item in (
                    bought,
                    ClawBack(clawback(shop, new_id("lot"), 10)),
                    redemption(new_id("vch"), shop),
                    hold(shop, 600),
                    HoldRefund(refund(shop, bought.grant.lot_id, 700)),
                )
            ]
        )
    assert [type(outcome) for outcome in found] == [Posted, NotFound, NotFound, Hold, Posted]
    assert found[-1].amount == 400  # type: ignore[union-attr]
    assert await wallet(db, shop.wallet_id) == (1_000, 1_000, 0)
    await assert_sound(db)


async def test_an_answer_that_was_lost_is_asked_for_again_without_moving_twice(db: Database) -> None:
    shop = await make_shop(db)
    voucher_id = await make_voucher(db, shop)
    bought = grant(shop, 1_000)
    async with open_ledger(db) as ledger:
        await ledger.submit(bought)
        lost = {"left": 1}

        async def lose_first(run: Any) -> None:
            await run()
            if lost["left"]:
                lost["left"] -= 1
                raise OutcomeUnknown

        fail_batches(ledger, lose_first)
        for item, amount in (
            (redemption(voucher_id, shop), 500),
            (HoldRefund(refund(shop, bought.grant.lot_id, 300)), 300),
        ):
            lost["left"] = 1
            outcome = await ledger.submit(item)
            assert isinstance(outcome, Posted)
            assert outcome.amount == amount
        lost["left"] = 1
        await ledger.submit(ClawBack(clawback(shop, bought.grant.lot_id, 200)))
    assert await wallet(db, shop.wallet_id) == (1_300, 300, 0)
    assert await count(db, "voucher_redemption") == 1
    await assert_sound(db)


async def test_what_is_dated_in_the_future_is_refused(db: Database) -> None:
    shop = await make_shop(db)
    bought = grant(shop, 1_000)
    later = now_us() + 3_600_000_000
    async with open_ledger(db) as ledger:
        await ledger.submit(bought)
        early = clawback(shop, bought.grant.lot_id, 10)
        items: list[Any] = [
            ClawBack(_dated(early, later)),
            HoldRefund(_dated(refund(shop, bought.grant.lot_id, 9), later)),
        ]
        ahead = take(shop, 5)
        items += [type(bought)(_dated(grant(shop, 9).grant, later)), type(ahead)(_dated(ahead.take, later))]
        found = await outcomes([ledger.submit(item) for item in items])
    assert [type(outcome) for outcome in found] == [LedgerFault] * 4
    assert await wallet(db, shop.wallet_id) == (1_000, 0, 0)


def _dated(request: Any, at: int) -> Any:
    return type(request)(**{name: getattr(request, name) for name in request.__struct_fields__} | {"at": at})


async def test_any_mix_leaves_a_sound_ledger(db: Database) -> None:
    first = await make_shop(db)
    shops = [first, await add_customer(db, first, "lee@aurora.example")]
    chance = random.Random(3)
    async with open_ledger(db) as one, open_ledger(db) as other:
        await one.submit(deposit(first, 10_000_000))

        async def life(shop: Shop) -> None:
            lots: list[str] = []
            for _ in range(25):
                ledger = chance.choice((one, other))
                bought = grant(shop, chance.randrange(1, 400))
                await ledger.submit(bought)
                lots.append(bought.grant.lot_id)
                call = hold(shop, chance.randrange(1, 300), 5_000)
                placed = await ledger.submit(call)
                pending = await ledger.submit(HoldRefund(refund(shop, chance.choice(lots), chance.randrange(1, 300))))
                assert isinstance(pending, Posted)
                await outcomes(
                    [
                        chance.choice((one, other)).submit(
                            ClawBack(clawback(shop, chance.choice(lots), chance.randrange(400)))
                        )
                        for _ in range(3)
                    ]
                )
                if isinstance(placed, Hold):
                    await ledger.submit(settle(shop, call, {"input": chance.randrange(150)}))
                    if chance.random() < 0.5:
                        await outcomes([reverse(db, "aurora", call.request.request_id)])
                async with db.read(EVERY_TENANT) as connection:
                    allocations = await connection.scalar(
                        select(t.hold.c.allocations).where(t.hold.c.request_id == pending.id)
                    )
                ((lot_id, _),) = json.loads(allocations or "[]")
                item = ResolveRefund(
                    pending.id, clawback(shop, lot_id, chance.randrange(400)), went_through=chance.random() < 0.5
                )
                await ledger.submit(item)

        await asyncio.gather(*(life(shop) for shop in shops for _ in range(2)))
        report = await audit(db)
    assert report.findings == []
    assert report.open_holds == 0
