"""Append-only tables may lose words about a person who is deleted, and change in no other way (PostgreSQL)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from reseller_kit.core.ids import new_id
from reseller_kit.db import audit_log, row_security
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from tests.support.factories import make_customer, make_platform, make_tenant
from tests.support.row_security import DENIED, refusal

SAID = {
    "email": "kim@example.org",
    "amount": "12.00",
    "n": 3,
    "list": ["a kim@example.org b", True],
    "in": {"x": "100%_\\"},
}


@pytest.fixture
def backend() -> str:
    """Only PostgreSQL knows who writes."""
    return "postgres"


class Row:
    """A row of the audit log about a customer."""

    def __init__(self, db: Database, tenant_id: int, customer_id: str, row_id: int) -> None:
        self.db, self.tenant_id, self.customer_id, self.id = db, tenant_id, customer_id, row_id

    async def becomes(self, after: Any, *, deleted: bool = True, **others: Any) -> None:
        """Write it in one transaction, the customer deleted behind it as an erasure does."""
        a, c = t.audit_log.c, t.customer.c
        async with self.db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.audit_log).where(a.id == self.id).values(after=after, **others))
            if deleted:
                await connection.execute(update(t.customer).where(c.id == self.customer_id).values(status="deleted"))

    async def after(self) -> Any:
        async with self.db.read(EVERY_TENANT) as connection:
            return await connection.scalar(select(t.audit_log.c.after).where(t.audit_log.c.id == self.id))


@pytest.fixture
async def row(db: Database) -> Row:
    await make_platform(db)
    tenant = await make_tenant(db)
    customer = await make_customer(db, tenant)
    async with db.write(EVERY_TENANT) as connection:
        await audit_log.record(connection, tenant.id, "test", "customer.create", "customer", customer.id, after=SAID)
        found = await connection.scalar(select(t.audit_log.c.id).where(t.audit_log.c.ref == customer.id))
    return Row(db, tenant.id, customer.id, int(found or 0))


async def test_words_give_way_to_the_customers_id_or_to_nothing(row: Row) -> None:
    who = row.customer_id
    taken_out = {**SAID, "email": "", "list": [f"a {who} b", True]}
    await row.becomes(taken_out)
    assert await row.after() == taken_out
    await row.becomes(taken_out)


@pytest.mark.parametrize(
    "after",
    [
        {**SAID, "email": "other@example.org"},
        {**SAID, "amount": "13.00"},
        {**SAID, "n": 4},
        {**SAID, "n": None},
        {**SAID, "list": ["a WHO c", True]},
        {**SAID, "list": ["a WHO b WHO and more", True]},
        {**SAID, "list": ["a kim@example.org b"]},
        {**SAID, "list": [True, "a kim@example.org b"]},
        {**SAID, "in": {"x": "%"}},
        {**SAID, "in": {"x": "100__"}},
        {**SAID, "more": "words"},
        {name: value for name, value in SAID.items() if name != "amount"},
        "",
        [],
        None,
    ],
)
async def test_nothing_else_can_be_said_afterwards(row: Row, after: Any) -> None:
    async def change() -> None:
        told = after
        if isinstance(after, dict) and isinstance(after.get("list"), list):
            named = [one.replace("WHO", row.customer_id) if isinstance(one, str) else one for one in after["list"]]
            told = {**after, "list": named}
        await row.becomes(told)

    state, said = await refusal(change())
    assert (state, "append-only" in said) == (DENIED, True)
    assert await row.after() == SAID


async def test_a_customer_who_is_there_loses_no_word(row: Row) -> None:
    state, said = await refusal(row.becomes({**SAID, "email": ""}, deleted=False))
    assert (state, "about no customer who is deleted" in said) == (DENIED, True)
    assert await row.after() == SAID


async def test_a_foreign_customers_deletion_opens_no_row(row: Row, db: Database) -> None:
    other = await make_tenant(db, "borealis")
    gone = await make_customer(db, other)
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.customer).where(t.customer.c.id == gone.id).values(status="deleted"))
    state, _ = await refusal(row.becomes({**SAID, "email": gone.id}, deleted=False))
    assert state == DENIED


async def test_who_did_what_and_when_stays_even_for_the_owner_of_the_tables(row: Row, db: Database) -> None:
    async def change() -> None:
        async with db.administer() as connection:
            await connection.execute(
                update(t.customer).where(t.customer.c.id == row.customer_id).values(status="deleted")
            )
            await connection.execute(update(t.audit_log).where(t.audit_log.c.id == row.id).values(actor="nobody"))

    assert (await refusal(change()))[0] == DENIED


@pytest.mark.parametrize("name", sorted(t.REDACTABLE))
async def test_doctor_and_upgrade_see_a_missing_guard(db: Database, name: str) -> None:
    expected = f"Nothing keeps the words of the append-only table {name} from being changed."
    for statement in (f"ALTER TABLE {name} DISABLE TRIGGER only_redacted", f"DROP TRIGGER only_redacted ON {name}"):
        async with db.administer() as connection:
            await connection.execute(text(statement))
            assert await connection.run_sync(row_security.problems) == [expected]
    async with db.administer() as connection:
        await connection.run_sync(row_security.install)
        assert await connection.run_sync(row_security.problems) == []


async def test_a_receipt_loses_its_buyer_and_no_amount(row: Row, db: Database) -> None:
    content = {"buyer": {"name": "Kim", "email": "kim@example.org"}, "total": "10.00", "number": "A-1"}
    order = new_id("ord")
    async with db.administer() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        made = {"tenant_id": row.tenant_id, "order_id": order, "content": content, "year": 2026, "number": 1}
        await connection.execute(insert(t.receipt).values(**made, issued_at=now_us()))

    async def becomes(told: dict[str, Any]) -> None:
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.receipt).where(t.receipt.c.order_id == order).values(content=told))
            mine = t.customer.c.id == row.customer_id
            await connection.execute(update(t.customer).where(mine).values(status="deleted"))

    anonymous = {**content, "buyer": {"name": row.customer_id, "email": ""}}
    assert (await refusal(becomes({**anonymous, "total": "1.00"})))[0] == DENIED
    await becomes(anonymous)
