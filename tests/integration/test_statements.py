"""Statements agree with the ledger to the nano-USD: opening, everything that moved, closing."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text, update

from reseller_kit.core.errors import InvalidRequest, NotFound
from reseller_kit.core.money import format_amount, parse_amount
from reseller_kit.core.months import month_of, parse_month
from reseller_kit.core.statement import KINDS
from reseller_kit.core.times import DAY_US
from reseller_kit.db import provisioning
from reseller_kit.db import statements as rows_of_statements
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, open_writer
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.credits import adjust_credit
from reseller_kit.flows.expire import expire
from reseller_kit.flows.grants import grant_credit
from reseller_kit.flows.orders import Wanted, approve_order, place_order, refund_order
from reseller_kit.flows.providers import Providers
from reseller_kit.flows.sales import COLUMNS, month_of_sales, sales_csv
from reseller_kit.flows.statement_files import customer_csv, customer_document, reseller_csv, reseller_document
from reseller_kit.flows.statements import (
    customer_statement,
    reseller_statement,
    statement_months,
)
from reseller_kit.flows.unlock import unlock
from reseller_kit.payments import Manual
from tests.integration.test_orders import goodwill
from tests.support import factories as make

TOPUP = {
    "id": "top-up",
    "title": "=Top up",
    "kind": "topup",
    "min": "5.00",
    "max": "500.00",
    "bonus": [{"from": "50.00", "percent": "10%"}],
}

pytestmark = pytest.mark.usefixtures("one_day")


class Books:
    """A tenant whose customer bought, used, lost and got back credit this month."""

    def __init__(self, db: Database, ledger: LedgerWriter, tenant: Tenant, customer: Customer) -> None:
        self.db, self.ledger, self.tenant, self.customer = db, ledger, tenant, customer
        self.month = str(month_of(now_us()))

    async def live(self) -> None:
        placed = await place_order(
            self.db,
            Manual(),
            tenant_id=self.tenant.id,
            customer_id=self.customer.id,
            wanted=Wanted(package="top-up", amount=parse_amount("50.00")),
            actor="test",
        )
        await approve_order(self.db, self.ledger, order_id=placed.order.id, note="", actor="test")
        key = await make.make_key(self.db, self.customer)
        for model in ("gpt-5-mini", "gpt-5-mini", "other"):
            await make.make_call(self.db, self.customer, key, model)
        vault = await unlock(self.db, make.SECRET_KEY)
        await refund_order(self.db, self.ledger, Providers(self.db, vault), goodwill(placed.order, "10.00"))
        await self.give("3.00")
        await adjust_credit(
            self.db,
            tenant_slug=self.tenant.slug,
            customer=self.customer.id,
            amount=-parse_amount("1.00"),
            reason="oops",
            idempotency_key=None,
            actor="test",
        )
        async with self.db.write(EVERY_TENANT) as connection:
            lot = t.lot.c
            await connection.execute(update(t.lot).where(lot.kind == "manual").values(expires_at=now_us() - 1))
        await expire(self.db, self.ledger)

    async def give(self, amount: str) -> None:
        await grant_credit(
            self.db,
            tenant_slug=self.tenant.slug,
            customer=self.customer.id,
            amount=parse_amount(amount),
            reason="hello",
            idempotency_key=None,
            actor="test",
        )

    async def balance(self) -> int:
        async with self.db.read(EVERY_TENANT) as connection:
            a = t.account.c
            return int(await connection.scalar(select(a.balance_nano).where(a.id == self.customer.wallet_id)) or 0)


@pytest.fixture
async def books(db: Database) -> AsyncIterator[Books]:
    tenant = await make.make_tenant(db, "aurora", hosts=["aurora.example"])
    customer = await make.make_customer(db, tenant, "kim@example.com")
    upstream = await make.make_upstream(db)
    retail = {name: 2 * price + 1 for name, price in make.COST.items()}
    for model in ("gpt-5-mini", "other"):
        await make.make_model(db, model, upstream_id=upstream)
        await make.publish(db, tenant, model, wholesale=make.COST, retail=retail)
    await make.deposit(db, tenant)
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, tenant.id, "top-up", dict(TOPUP))
    ledger = open_writer(db)
    await ledger.start()
    yield Books(db, ledger, tenant, customer)
    await ledger.close()


async def test_a_customer_s_month_agrees_with_the_ledger_to_the_nano(books: Books) -> None:
    await books.live()
    found = await customer_statement(books.db, books.tenant.id, books.customer.id, books.month)
    assert (found.opening, found.closing) == (0, await books.balance())
    assert found.opening + found.sums.total == found.closing
    assert (found.sums.purchase, found.sums.bonus) == (parse_amount("50.00"), parse_amount("5.00"))
    assert (found.sums.refund, found.sums.gift) == (-parse_amount("11.00"), parse_amount("3.00"))
    assert found.sums.correction == -parse_amount("1.00")
    assert found.sums.expiry < 0
    assert found.sums.usage == sum(use.amount for use in found.models) < 0
    assert {use.model: use.calls for use in found.models} == {"gpt-5-mini": 2, "other": 1}
    document = customer_document(found)
    assert sum(parse_amount(document[kind], negative=True) for kind in KINDS) == found.closing

    rows = list(csv.DictReader(io.StringIO(customer_csv(found).decode())))
    assert sum(parse_amount(row["credit"], negative=True) for row in rows if row["kind"] != "closing") == found.closing
    bought = next(row for row in rows if row["kind"] == "purchase")
    assert (bought["paid"], bought["receipt"][:4], bought["description"]) == (
        "50.00",
        str(found.month)[:4],
        "'=Top up",
    )


async def test_balances_are_right_when_a_month_has_more_than_is_listed(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.live()
    monkeypatch.setattr(rows_of_statements, "MAX_ROWS", 2)
    found = await customer_statement(books.db, books.tenant.id, books.customer.id, books.month)
    assert len(found.movements) == 2
    assert (found.opening, found.closing) == (0, await books.balance())


async def test_months_follow_one_another_and_a_closed_one_does_not_change(books: Books) -> None:
    await books.live()
    back = 40 * DAY_US
    async with books.db.administer() as connection:
        await connection.execute(update(t.txn).values(created_at=t.txn.c.created_at - back))
    past = month_of(now_us() - back)
    closed = await customer_statement(books.db, books.tenant.id, books.customer.id, str(past))
    await books.give("7.00")
    assert await customer_statement(books.db, books.tenant.id, books.customer.id, str(past)) == closed
    now = await customer_statement(books.db, books.tenant.id, books.customer.id, books.month)
    assert now.closing - now.opening == parse_amount("7.00")
    assert now.closing == await books.balance()


async def test_a_reseller_s_month_agrees_with_its_account_and_names_no_cost(books: Books) -> None:
    await books.live()
    found = await reseller_statement(books.db, "aurora", books.month)
    async with books.db.read(EVERY_TENANT) as connection:
        a, e, x = t.account.c, t.entry.c, t.txn.c
        balance = await connection.scalar(select(a.balance_nano).where(a.kind == "reseller_wallet"))
        joined = t.entry.join(t.txn, x.id == e.txn_id).join(t.account, a.id == e.account_id)
        moved = select(func.sum(e.amount_nano)).select_from(joined).where(x.code == "call")
        retail = await connection.scalar(moved.where(a.kind == "customer_wallet"))
        wholesale = await connection.scalar(moved.where(a.kind == "reseller_wallet"))
    assert (found.opening, found.closing) == (0, balance)
    assert (found.retail, found.wholesale) == (-int(retail or 0), -int(wholesale or 0))
    assert found.account["call"] == -found.wholesale
    assert sum(found.account.values()) == found.closing
    assert (found.sales.price, found.sales.refunded) == (parse_amount("50.00"), parse_amount("10.00"))
    text = str(reseller_document(found)) + reseller_csv(found).decode()
    assert "cost" not in text
    assert format_amount(found.margin) in text


async def test_each_sale_and_refund_of_a_month_stands_there_with_its_tax(books: Books) -> None:
    await books.live()
    async with books.db.administer() as connection:
        if books.db.backend == "postgresql":
            # Receipts are append-only: no tax comes to one that is written, but past its guard.
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        content = (await connection.execute(select(t.receipt.c.content))).scalar_one()
        taxed = {"total": "59.50", "tax_total": "9.50", "tax": [{"title": "19%", "amount": "9.50"}]}
        await connection.execute(update(t.receipt).values(content={**content, **taxed}))
    found = await month_of_sales(books.db, "aurora", books.month)
    shown = [[line[name] for name in ("kind", "net", "tax", "gross", "currency", "tax_lines")] for line in found.lines]
    assert shown == [
        ["sale", "50.00", "9.50", "59.50", "USD", "19% 9.50"],
        ["refund", "-10.00", "-1.90", "-11.90", "USD", ""],
    ]
    rows = list(csv.DictReader(io.StringIO(sales_csv(found).decode())))
    assert tuple(rows[0]) == COLUMNS
    # What a spreadsheet would take for a formula is none.
    assert rows[0]["description"] == "'=Top up"
    assert {row["receipt"] for row in rows} == {f"{books.month[:4]}-00001"}
    past = str(parse_month(books.month).later(-1))
    assert (await month_of_sales(books.db, "aurora", past)).lines == ()
    with pytest.raises(InvalidRequest):
        await month_of_sales(books.db, "aurora", "2026-13")


async def test_a_month_that_is_none_has_not_begun_or_is_nobody_s_is_refused(books: Books) -> None:
    for month in ("2026-13", "next", "9998-01"):
        with pytest.raises(InvalidRequest):
            await customer_statement(books.db, books.tenant.id, books.customer.id, month)
    elsewhere = await make.make_tenant(books.db, "borealis")
    with pytest.raises(NotFound):
        await customer_statement(books.db, elsewhere.id, books.customer.id, books.month)
    assert [str(one) for one in await statement_months(books.db, books.tenant.id, books.customer.id)] == [books.month]
