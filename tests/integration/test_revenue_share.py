"""Revenue share in the database: cash accrues with calls, expiry and debt, whatever the settlement is by then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from msgspec import structs
from sqlalchemy import func, select, update

from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Hold, HoldRefused
from reseller_kit.db import accounts
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import GrantCredit, LedgerWriter
from reseller_kit.flows.accrue import accrue
from reseller_kit.flows.audit import audit
from reseller_kit.flows.corrections import reverse_charge
from reseller_kit.flows.expire import expire
from reseller_kit.flows.refunds import Payment, claw_back
from tests.support.ledger import Shop, add_customer, deposit, grant, hold, make_shop, open_ledger, settle, wallet

# 100 tokens in and 50 out: retail 900, wholesale 600, cost 300 nano-USD.
USED = {"input": 100, "output": 50}


async def share_revenue(db: Database, shop: Shop, **terms: Any) -> Shop:
    """The shop under revenue share: its calls draw on the accrual."""
    settings = {"wholesale": {"settlement": "revenue_share", **terms}}
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.tenant).where(t.tenant.c.id == shop.tenant_id).values(settings=settings))
        account = await accounts.reseller_accrual(connection, shop.tenant_id)
    return replace(shop, reseller_wallet=account.wallet_id)


def bought(shop: Shop, amount: int, cash: int, **options: Any) -> GrantCredit:
    item = grant(shop, amount, cash=cash, code="order", **options)
    return GrantCredit(structs.replace(item.grant, kind="topup"))


async def call(ledger: LedgerWriter, shop: Shop, retail: int = 900, wholesale: int = 600) -> None:
    placed = hold(shop, retail, wholesale)
    assert isinstance(await ledger.submit(placed), Hold)
    await ledger.submit(settle(shop, placed, USED))


async def sums(db: Database, tenant_id: int) -> dict[str, int]:
    """What the entries on each account of a tenant sum to."""
    a, e = t.account.c, t.entry.c
    statement = select(a.kind, func.sum(e.amount_nano)).join(t.entry, e.account_id == a.id)
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(statement.where(a.tenant_id == tenant_id).group_by(a.kind))
        return {row[0]: int(row[1]) for row in rows}


async def accrued(db: Database, shop: Shop) -> list[int]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.scalars(
            select(t.lot.c.accrued_nano).where(t.lot.c.wallet_id == shop.wallet_id).order_by(t.lot.c.id)
        )
        return list(rows)


async def test_calls_credit_the_reseller_with_cash_and_charge_it_wholesale(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(bought(shop, 2_000, 1_801))
        await call(ledger, shop)
        assert await wallet(db, shop.reseller_wallet) == (810 - 600, 0, 0)
        await call(ledger, shop)
        await ledger.submit(settle(shop, await placed(ledger, shop, 200, 100), {"input": 66, "output": 1}))
    assert await sums(db, shop.tenant_id) == {
        "customer_wallet": 2_000 - 900 - 900 - 210,
        "credit_issued": -2_000,
        "reseller_revenue": 2_010,
        "reseller_accrual": 1_801 - 600 - 600 - 140,
        "customer_cash": -1_801,
        "wholesale_revenue": 1_340,
        "upstream_cost": -670,
        "upstream_payable": 670,
    }
    assert await accrued(db, shop) == [1_801]
    assert (await audit(db)).findings == []


async def placed(ledger: LedgerWriter, shop: Shop, retail: int, wholesale: int) -> Hold:
    outcome = await ledger.submit(hold(shop, retail, wholesale))
    assert isinstance(outcome, Hold)
    return outcome


async def test_gifts_bring_nothing_and_stop_at_the_overdraft(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000))
        refused = await ledger.submit(hold(shop, 900, 600))
        assert isinstance(refused, HoldRefused)
        assert refused.reason == "wholesale"
        allowed = hold(shop, 900, 600, overdraft=700)
        assert isinstance(await ledger.submit(allowed), Hold)
        assert isinstance(await ledger.submit(hold(shop, 900, 600, overdraft=700)), HoldRefused)
        await ledger.submit(settle(shop, allowed, USED))
    assert await wallet(db, shop.reseller_wallet) == (-600, 0, 0)
    assert (await audit(db)).findings == []


async def test_processes_at_once_do_not_pass_the_overdraft(db: Database) -> None:
    """Twenty calls on given credit, from two writers and two customers, on an overdraft for five."""
    shop = await share_revenue(db, await make_shop(db))
    other = await add_customer(db, shop, "lee@aurora.example")
    async with open_ledger(db) as first, open_ledger(db) as second:
        for customer in (shop, other):
            await first.submit(grant(customer, 50_000))
        asked = [(writer, customer) for writer in (first, second) for customer in (shop, other)] * 5

        async def one(writer: LedgerWriter, customer: Shop) -> bool:
            placing = hold(customer, 900, 600, overdraft=3_000)
            if isinstance(await writer.submit(placing), HoldRefused):
                return False
            await writer.submit(settle(customer, placing, USED))
            return True

        made = await asyncio.gather(*(one(writer, customer) for writer, customer in asked))
    assert sum(made) == 5
    assert await wallet(db, shop.reseller_wallet) == (-3_000, 0, 0)
    assert (await audit(db)).findings == []


async def test_each_hold_settles_by_what_it_was_placed_under(db: Database) -> None:
    prepaid = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(prepaid, 1_000))
        await ledger.submit(bought(prepaid, 5_000, 5_000))
        before = hold(prepaid, 900, 600)
        await ledger.submit(before)
        sharing = await share_revenue(db, prepaid)
        after = hold(sharing, 900, 600)
        await ledger.submit(after)
        await ledger.submit(settle(prepaid, before, USED))
        assert await wallet(db, prepaid.reseller_wallet) == (400, 0, 0)
        assert await wallet(db, sharing.reseller_wallet) == (0, 0, 0)
        await ledger.submit(settle(sharing, after, USED))
        # The prepaid call's cash comes along: both have used it up.
        assert await wallet(db, sharing.reseller_wallet) == (1_800 - 600, 0, 0)
    assert (await audit(db)).findings == []


async def test_cash_used_up_after_a_change_to_prepaid_accrues_once_all_the_same(db: Database) -> None:
    prepaid = await make_shop(db)
    async with db.read(EVERY_TENANT) as connection:
        account = (await accounts.reseller_accrual(connection, prepaid.tenant_id)).wallet_id
    async with open_ledger(db) as ledger, open_ledger(db) as beside:
        await ledger.submit(deposit(prepaid, 1_000))
        await ledger.submit(bought(prepaid, 900, 777))
        await call(ledger, prepaid)
        assert await accrued(db, prepaid) == [0]
        assert (await audit(db)).findings == []
        await asyncio.gather(accrue(db, ledger), accrue(db, beside), accrue(db, ledger, tenant_id=prepaid.tenant_id))
        assert await wallet(db, account) == (777, 0, 0)
        assert await accrue(db, ledger) == 0
    assert await wallet(db, prepaid.reseller_wallet) == (400, 0, 0)
    assert (await sums(db, prepaid.tenant_id))["customer_cash"] == -777
    assert (await audit(db)).findings == []


async def test_cash_of_expired_credit_is_the_resellers(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(bought(shop, 5_000, 4_444, expires_at=now_us() + 3_600_000_000))
        kept = hold(shop, 900, 600)
        assert isinstance(await ledger.submit(kept), Hold)
        async with db.write(EVERY_TENANT) as connection:
            lot = t.lot.c
            await connection.execute(
                update(t.lot).where(lot.wallet_id == shop.wallet_id).values(expires_at=now_us() - 1)
            )
        assert await expire(db, ledger) == 1
        assert await wallet(db, shop.reseller_wallet) == (4_444 * 4_100 // 5_000, 0, 0)
        await ledger.submit(settle(shop, kept, {"input": 1}))
    assert await wallet(db, shop.reseller_wallet) == (4_444 - 2, 0, 0)
    assert await accrued(db, shop) == [4_444]
    assert (await audit(db)).findings == []


async def test_debt_accrues_when_paid_credit_nets_it(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(bought(shop, 100, 100))
        over = hold(shop, 100, 60)
        await ledger.submit(over)
        await ledger.submit(settle(shop, over, USED))
        assert await wallet(db, shop.wallet_id) == (-800, 0, 800)
        assert await wallet(db, shop.reseller_wallet) == (100 - 600, 0, 0)
        await ledger.submit(bought(shop, 1_000, 900, accrual_id=shop.reseller_wallet))
        assert await wallet(db, shop.reseller_wallet) == (100 - 600 + 720, 0, 0)
        # A grant that does not know the account is caught up by the sweep.
        again = hold(shop, 200, 60)
        await ledger.submit(again)
        await ledger.submit(settle(shop, again, USED))
        await ledger.submit(bought(shop, 1_000, 500))
        assert await accrue(db, ledger) == 1
    assert await wallet(db, shop.reseller_wallet) == (1_000 - 1_200 + 350, 0, 0)
    assert (await audit(db)).findings == []


async def test_a_share_of_another_tenant_is_refused(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    other = await share_revenue(db, await make_shop(db, "borealis"))
    async with open_ledger(db) as ledger:
        results = await asyncio.gather(
            ledger.submit(bought(shop, 100, 100, accrual_id=other.reseller_wallet)),
            ledger.submit(bought(shop, 100, 100, accrual_id=shop.wallet_id)),
            return_exceptions=True,
        )
    assert [type(result).__name__ for result in results] == ["NotFound", "LedgerFault"]
    assert await sums(db, shop.tenant_id) == {}
    assert await wallet(db, shop.wallet_id) == (0, 0, 0)


async def test_a_lost_process_leaves_the_accrual_right(db: Database) -> None:
    """Two settles of one hold: the cash accrues once."""
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(bought(shop, 5_000, 5_000))
        once = hold(shop, 900, 600, request_id=new_id("req"))
        await ledger.submit(once)
        await asyncio.gather(*(ledger.submit(settle(shop, once, USED)) for _ in range(3)))
    assert await wallet(db, shop.reseller_wallet) == (300, 0, 0)
    assert (await audit(db)).findings == []


async def test_a_refund_takes_the_cash_of_what_it_takes(db: Database) -> None:
    """Of 1,000 for 910, 900 are consumed: a refund of all takes 100 free and 900 as debt, and every bit of cash."""
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        item = bought(shop, 1_000, 910)
        lot_id = item.grant.lot_id
        await ledger.submit(item)
        await call(ledger, shop)
        assert await wallet(db, shop.reseller_wallet) == (819 - 600, 0, 0)
        for refunded, share in ((50, 819 - 364), (100, 0), (100, 0), (0, 819), (100, 0)):
            await claw_back(db, ledger, shop.tenant_id, lot_id, Payment(paid=100, refunded=refunded), ref="re_1")
            assert await wallet(db, shop.reseller_wallet) == (share - 600, 0, 0), refunded
            assert (await audit(db)).findings == []
        await ledger.submit(bought(shop, 2_000, 1_000, accrual_id=shop.reseller_wallet))
        assert await wallet(db, shop.reseller_wallet) == (450 - 600, 0, 0), "what pays the debt brings its cash"
    assert (await audit(db)).findings == []


async def test_a_reversed_call_takes_its_cash_back_with_its_wholesale(db: Database) -> None:
    shop = await share_revenue(db, await make_shop(db))
    async with open_ledger(db) as ledger:
        await ledger.submit(bought(shop, 2_000, 1_000))
        placing = hold(shop, 900, 600, overdraft=200)
        assert isinstance(await ledger.submit(placing), Hold)
        await ledger.submit(settle(shop, placing, USED))
        assert await wallet(db, shop.reseller_wallet) == (450 - 600, 0, 0)
    await reverse_charge(
        db,
        tenant_slug="aurora",
        request_id=placing.request.request_id,
        amount=None,
        reason="Broken",
        actor="test",
    )
    assert await wallet(db, shop.reseller_wallet) == (0, 0, 0)
    assert (await audit(db)).findings == []
