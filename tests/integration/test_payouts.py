"""Payouts of revenue shares: never more than has matured, posted once, whoever is at it at the same time."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import Conflict, InsufficientCredit, InvalidRequest, KitError, NotFound
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Grant, WholesaleMove
from reseller_kit.core.money import CENT_NANO, NANO
from reseller_kit.db import accounts
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import ExpireLots, GrantCredit, MoveWholesale, PayOut
from reseller_kit.db.operator import tenant_by_id
from reseller_kit.db.operator_payouts import NamedPayout
from reseller_kit.flows import payouts as flow
from reseller_kit.flows.accrue import accrue
from reseller_kit.flows.audit import audit
from reseller_kit.flows.credits import post
from reseller_kit.flows.tenants import require_tenant
from tests.support.commands import Cli
from tests.support.factories import make_customer, make_tenant
from tests.support.ledger import open_ledger, wallet

DAY_US = 86_400 * 10**6
NO_WAIT = {"settlement": "revenue_share", "maturity_days": 0}


async def share_of(db: Database, slug: str = "aurora", *, earned: int = 0, **terms: Any) -> int:
    """A tenant under revenue share whose customers' credit of `earned` was used up; its account."""
    legal = {"legal": {"company": "=Aurora Ltd"}}
    settings = {"wholesale": terms or NO_WAIT, "brand": legal}
    tenant = await make_tenant(db, slug, settings=settings)
    async with db.read(EVERY_TENANT) as connection:
        account = (await accounts.reseller_accrual(connection, tenant.id)).wallet_id
    if earned:
        await earn(db, tenant.id, account, earned)
    return account


async def earn(db: Database, tenant_id: int, account: int, cash: int) -> None:
    """Credit that was bought, and ran out."""
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenant_by_id(connection, tenant_id)
    assert tenant is not None
    customer = await make_customer(db, tenant)
    request = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=tenant_id,
        wallet_id=customer.wallet_id,
        kind="topup",
        amount=cash,
        cash=cash,
        at=now_us(),
    )
    async with open_ledger(db) as ledger:
        await ledger.submit(GrantCredit(request))
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.lot).where(t.lot.c.id == request.lot_id).values(expires_at=1))
        await ledger.submit(ExpireLots(new_id("txn"), tenant_id, customer.wallet_id, now_us(), account))


async def ask(db: Database, amount: int | None = None, slug: str = "aurora") -> NamedPayout:
    return await flow.request_payout(db, tenant_slug=slug, amount=amount, actor="test")


async def outcomes(*work: Awaitable[NamedPayout]) -> list[str]:
    """Each one's state, or the name of the error that it raised."""
    results = await asyncio.gather(*work, return_exceptions=True)
    shown = []
    for result in results:
        if isinstance(result, BaseException):
            assert isinstance(result, KitError), result
            shown.append(type(result).__name__)
        else:
            shown.append(result.payout.state)
    return sorted(shown)


async def test_a_payout_is_requested_approved_and_paid(db: Database) -> None:
    account = await share_of(db, earned=100 * NANO)
    asked = (await ask(db, 60 * NANO)).payout
    assert (asked.state, asked.amount_nano, asked.txn_id) == ("requested", 60 * NANO, None)
    assert await wallet(db, account) == (100 * NANO, 0, 0), "asking moves nothing"
    approved = (await flow.approve_payout(db, asked.id, "test")).payout
    assert (approved.state, approved.approved_at is not None, approved.txn_id is not None) == ("approved", True, True)
    assert await wallet(db, account) == (40 * NANO, 0, 0)
    paid = (await flow.mark_payout_paid(db, asked.id, "SEPA 17", "test")).payout
    assert (paid.state, paid.reference) == ("paid", "SEPA 17")
    assert (await audit(db)).findings == []
    async with db.read(EVERY_TENANT) as connection:
        actions = list(await connection.scalars(select(t.audit_log.c.action).order_by(t.audit_log.c.id)))
    assert actions == ["payout.request", "payout.approve", "payout.mark_paid"]


async def test_no_more_than_matured_less_what_is_asked_for(db: Database) -> None:
    await share_of(db, earned=100 * NANO)
    with pytest.raises(InsufficientCredit, match=r"100\.00 USD can be paid out, less than 100\.01"):
        await ask(db, 100 * NANO + CENT_NANO)
    await ask(db, 70 * NANO)
    with pytest.raises(InsufficientCredit):
        await ask(db, 31 * NANO)
    rest = (await ask(db)).payout
    assert rest.amount_nano == 30 * NANO
    with pytest.raises(InsufficientCredit):
        await ask(db)
    await flow.reject_payout(db, rest.id, "Wrong account", "test")
    assert (await ask(db)).payout.amount_nano == 30 * NANO


async def test_a_bank_pays_cents_and_the_rest_stays(db: Database) -> None:
    account = await share_of(db, earned=10 * NANO + 19_999_999)
    async with db.read(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, "aurora")
        assert (await flow.share_of(connection, tenant, now_us())).payable == 1001 * CENT_NANO
    with pytest.raises(InvalidRequest, match=r"5\.001 USD is not in whole cents"):
        await ask(db, 5_001_000_000)
    asked = (await ask(db)).payout
    assert asked.amount_nano == 1001 * CENT_NANO
    await flow.approve_payout(db, asked.id, "test")
    assert await wallet(db, account) == (9_999_999, 0, 0)
    with pytest.raises(InsufficientCredit, match=r"0\.00 USD can be paid out\."):
        await ask(db)


async def test_what_accrued_lately_waits(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await share_of(db, earned=100 * NANO, settlement="revenue_share", maturity_days=14)
    with pytest.raises(InsufficientCredit, match=r"0\.00 USD can be paid out"):
        await ask(db, CENT_NANO)
    now = now_us()
    monkeypatch.setattr(flow, "now_us", lambda: now + 13 * DAY_US)
    with pytest.raises(InsufficientCredit):
        await ask(db)
    monkeypatch.setattr(flow, "now_us", lambda: now + 14 * DAY_US)
    assert (await ask(db)).payout.amount_nano == 100 * NANO


async def test_a_negative_share_pays_nothing(db: Database) -> None:
    account = await share_of(db, earned=10 * NANO)
    asked = (await ask(db)).payout
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.account).where(t.account.c.id == account).values(balance_nano=-5))
    for work in (ask(db, CENT_NANO), flow.approve_payout(db, asked.id, "test")):
        with pytest.raises(InsufficientCredit, match=r"-0\.000000005 USD: nothing can be paid out"):
            await work
    assert (await flow.show_payout(db, asked.id)).payout.state == "requested"


async def test_a_refund_between_request_and_approval_is_seen(db: Database) -> None:
    """What was taken back of the lot is taken off the share before the approval is judged."""
    account = await share_of(db, earned=10 * NANO)
    asked = (await ask(db)).payout
    async with db.write(EVERY_TENANT) as connection:
        c = t.lot.c
        await connection.execute(update(t.lot).values(expired_nano=c.expired_nano - 1, clawed_back_nano=1))
    with pytest.raises(InsufficientCredit):
        await flow.approve_payout(db, asked.id, "test")
    assert await wallet(db, account) == (10 * NANO - 1, 0, 0)


async def test_under_a_race_one_approval_wins(db: Database) -> None:
    account = await share_of(db, earned=10 * NANO)
    asked = (await ask(db, 4 * NANO)).payout
    results = await outcomes(*(flow.approve_payout(db, asked.id, "test") for _ in range(4)))
    assert results == ["Conflict", "Conflict", "Conflict", "approved"]
    assert await wallet(db, account) == (6 * NANO, 0, 0)
    assert (await audit(db)).findings == []


async def test_approving_and_rejecting_at_once_do_one_of_the_two(db: Database) -> None:
    account = await share_of(db, earned=10 * NANO)
    asked = (await ask(db, 4 * NANO)).payout
    results = await outcomes(flow.approve_payout(db, asked.id, "test"), flow.reject_payout(db, asked.id, "No", "test"))
    state = (await flow.show_payout(db, asked.id)).payout.state
    assert results == ["Conflict", state]
    assert await wallet(db, account) == ((6 if state == "approved" else 10) * NANO, 0, 0)
    assert (await audit(db)).findings == []


async def test_requests_at_once_share_what_there_is(db: Database) -> None:
    await share_of(db, earned=10 * NANO)
    results = await outcomes(*(ask(db, 4 * NANO) for _ in range(4)))
    assert results == ["InsufficientCredit", "InsufficientCredit", "requested", "requested"]


async def test_a_payout_of_another_amount_or_twice_is_not_posted(db: Database) -> None:
    """The ledger itself compares state and amount, whatever the flow has looked at."""
    account = await share_of(db, earned=10 * NANO)
    asked = (await ask(db, 4 * NANO)).payout
    move = WholesaleMove(
        txn_id=new_id("txn"),
        tenant_id=asked.tenant_id,
        wallet_id=account,
        amount=-5 * NANO,
        at=now_us(),
        ref=asked.id,
        code="payout",
        sink="payouts",
    )
    with pytest.raises(KitError):
        await post(db, PayOut(move))
    assert await wallet(db, account) == (10 * NANO, 0, 0)
    assert (await audit(db)).findings == []


async def test_what_is_closed_stays_closed(db: Database) -> None:
    await share_of(db, earned=10 * NANO)
    rejected = (await ask(db, NANO)).payout
    assert (await flow.reject_payout(db, rejected.id, "No", "test")).payout.reject_reason == "No"
    for work in (
        flow.approve_payout(db, rejected.id, "test"),
        flow.reject_payout(db, rejected.id, "No", "test"),
        flow.mark_payout_paid(db, rejected.id, "x", "test"),
    ):
        with pytest.raises(Conflict, match="rejected"):
            await work
    for unknown in ("payout_1", new_id("payout"), new_id("req"), ""):
        with pytest.raises(NotFound):
            await flow.approve_payout(db, unknown, "test")


async def test_a_deposit_lifts_a_share_that_calls_draw_on(db: Database) -> None:
    account = await share_of(db)
    async with open_ledger(db) as ledger:
        assert await accrue(db, ledger) == 0
        move = WholesaleMove(txn_id=new_id("txn"), tenant_id=1, wallet_id=account, amount=5, at=now_us())
        await ledger.submit(MoveWholesale(move))
    assert await wallet(db, account) == (5, 0, 0)
    assert (await audit(db)).findings == []


async def test_what_has_not_accrued_is_credited_to_the_tenant_that_was_asked_for_alone(db: Database) -> None:
    shares = [await share_of(db, slug, earned=3 * NANO) for slug in ("aurora", "boreal")]
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.lot).values(accrued_nano=0))
        tenants = dict((await connection.execute(select(t.account.c.id, t.account.c.tenant_id))).all())
    async with open_ledger(db) as ledger:
        assert await accrue(db, ledger, tenant_id=tenants[shares[0]]) == 1
        assert [(await wallet(db, share))[0] for share in shares] == [6 * NANO, 3 * NANO]
        assert await accrue(db, ledger) == 1
        assert [(await wallet(db, share))[0] for share in shares] == [6 * NANO, 6 * NANO]


def test_the_commands(cli: Cli) -> None:
    cli.seed(lambda db: share_of(db, earned=12 * NANO))
    cli.seed(lambda db: share_of(db, "boreal", earned=3 * NANO))
    balance = cli.ask("wholesale", "balance", "--tenant", "aurora")
    assert {name: balance[name] for name in ("settlement", "balance", "matured", "payable", "payouts_requested")} == {
        "settlement": "revenue_share",
        "balance": "12.00",
        "matured": "12.00",
        "payable": "12.00",
        "payouts_requested": "0.00",
    }
    first = cli.ask("payout", "request", "--tenant", "aurora", "--amount", "2.50")
    assert (first["tenant"], first["amount"], first["currency"], first["status"]) == (
        "aurora",
        "2.50",
        "USD",
        "requested",
    )
    assert cli.ask("wholesale", "balance", "--tenant", "aurora")["payable"] == "9.50"
    second = cli.ask("payout", "request", "--tenant", "boreal")
    assert second["amount"] == "3.00"
    assert cli.refused("payout", "request", "--tenant", "aurora", "--amount", "9.51")[0] == 1
    for bad in ("0", "-1", "NaN", "1e3", "0.0000000001", "2.505"):
        assert cli.refused("payout", "request", "--tenant", "aurora", "--amount", bad)[0] == 2
    assert cli.refused("payout", "request", "--tenant", "nobody")[0] == 4
    assert [row["id"] for row in cli.ask("payout", "list")["payouts"]] == [second["id"], first["id"]]
    assert [row["id"] for row in cli.ask("payout", "list", "--tenant", "aurora")["payouts"]] == [first["id"]]
    page = cli.ask("payout", "list", "--limit", "1")
    assert [row["id"] for row in cli.ask("payout", "list", "--cursor", page["next_cursor"])["payouts"]] == [first["id"]]
    assert cli.ask("payout", "approve", first["id"])["status"] == "approved"
    assert cli.refused("payout", "approve", first["id"])[0] == 5
    assert cli.refused("payout", "mark-paid", second["id"], "--reference", "x")[0] == 5
    assert cli.ask("payout", "mark-paid", first["id"], "--reference", "=SUM(A1)")["status"] == "paid"
    assert cli.ask("payout", "reject", second["id"], "--reason", "Closed")["reject_reason"] == "Closed"
    exported = cli.ask("payout", "export")["payouts"]
    assert [(row["id"], row["amount"], row["reference"]) for row in exported] == [(first["id"], "2.50", "=SUM(A1)")]
    assert cli.ask("payout", "export", "--since", "2099-01-01")["payouts"] == []
    (row,) = csv.DictReader(io.StringIO(cli.run("payout", "export").stdout))
    assert (row["tenant"], row["amount"], row["status"]) == ("aurora", "2.50", "paid")
    assert (row["company"], row["reference"]) == ("'=Aurora Ltd", "'=SUM(A1)")
    assert cli.ask("ledger", "audit")["ok"] is True
    listed = cli.run("payout", "list").stdout
    assert max(map(len, listed.splitlines())) <= 80
