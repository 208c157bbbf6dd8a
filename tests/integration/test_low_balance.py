"""Resellers hear of a low balance once for each fall below a threshold, whichever process looks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from reseller_kit.core.money import parse_amount
from reseller_kit.db import tables as t
from reseller_kit.db.accounts import reseller_accrual
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.deliver import KINDS
from reseller_kit.flows.low_balance import watch_balances
from tests.support.factories import make_tenant

MARKS = {"notify_below": ["50.00", "10.00"]}


async def reseller(
    db: Database, slug: str = "aurora", balance: str = "60", wholesale: Mapping[str, Any] = MARKS
) -> Tenant:
    tenant = await make_tenant(db, slug, settings={"wholesale": dict(wholesale)})
    async with db.write(EVERY_TENANT) as connection:
        for role, status in (("owner", "invited"), ("owner", "removed"), ("finance", "active")):
            member = {"tenant_id": tenant.id, "role": role, "status": status, "created_at": 0}
            email = f"{role}.{status}@{slug}.example"
            await connection.execute(t.member.insert().values(email=email, **member))
    await set_balance(db, tenant, balance)
    return tenant


async def set_balance(db: Database, tenant: Tenant, balance: str, kind: str = "reseller_wallet") -> None:
    a = t.account.c
    values = {"balance_nano": parse_amount(balance, negative=True)}
    async with db.write(EVERY_TENANT) as connection:
        where = update(t.account).where(a.tenant_id == tenant.id, a.kind == kind)
        await connection.execute(where.values(**values))


async def set_marks(db: Database, tenant: Tenant, *marks: str) -> None:
    settings = {"wholesale": {"notify_below": list(marks)}}
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.tenant).where(t.tenant.c.id == tenant.id).values(settings=settings))


async def told(db: Database) -> list[tuple[str, str]]:
    """(balance, threshold) of every notice, oldest first."""
    c = t.audit_log.c
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.scalars(select(c.after).where(c.action == "wholesale.low").order_by(c.id))
        return [(row["balance"], row["threshold"]) for row in rows]


async def test_each_fall_is_told_once_and_again_after_a_deposit(db: Database) -> None:
    tenant = await reseller(db)
    steps = [
        ("60", []),
        ("50", []),
        ("49.999999999", [("49.999999999", "50.00")]),
        ("30", []),
        ("9.50", [("9.50", "10.00")]),
        ("-3", []),
        ("20", []),
        ("9", [("9.00", "10.00")]),
        ("80", []),
        ("5", [("5.00", "10.00")]),
        ("40", []),
        ("45", []),
    ]
    expected: list[tuple[str, str]] = []
    for balance, new in steps:
        await set_balance(db, tenant, balance)
        expected += new
        for _ in range(2):
            await watch_balances(db)
            assert await told(db) == expected, balance


async def test_of_processes_that_look_at_once_one_tells(db: Database) -> None:
    tenant, other = await reseller(db), await reseller(db, "boreal")
    await set_balance(db, tenant, "3")
    beside = Database(db.url.render_as_string(hide_password=False))
    try:
        counts = await asyncio.gather(*(watch_balances(where) for where in (db, beside, db, beside)))
    finally:
        await beside.close()
    assert sum(counts) == 1
    assert await told(db) == [("3.00", "10.00")]
    await set_balance(db, other, "11")
    assert await watch_balances(db) == 1


async def test_owners_alone_are_told(db: Database) -> None:
    await reseller(db, balance="1")
    await watch_balances(db)
    async with db.read(EVERY_TENANT) as connection:
        facts = await connection.scalar(select(t.audit_log.c.after))
    assert facts is not None
    assert facts["owners"] == ["owner.invited@aurora.example"]


async def test_a_threshold_that_was_withdrawn_begins_anew(db: Database) -> None:
    tenant = await reseller(db, balance="1")
    assert await watch_balances(db) == 1
    await set_marks(db, tenant)
    assert await watch_balances(db) == 0
    await set_marks(db, tenant, "10.00")
    assert await watch_balances(db) == 1


async def test_the_account_that_calls_draw_on_counts(db: Database) -> None:
    tenant = await reseller(db, balance="0", wholesale={"settlement": "revenue_share", **MARKS})
    async with db.read(EVERY_TENANT) as connection:
        assert (await reseller_accrual(connection, tenant.id)).balance == 0
    await watch_balances(db)
    assert await told(db) == [("0.00", "10.00")]
    await set_balance(db, tenant, "55", "reseller_accrual")
    await watch_balances(db)
    await set_balance(db, tenant, "45", "reseller_accrual")
    await watch_balances(db)
    assert await told(db) == [("0.00", "10.00"), ("45.00", "50.00")]


async def test_without_thresholds_and_for_closed_storefronts_nothing_is_told(db: Database) -> None:
    await reseller(db, balance="-5", wholesale={"overdraft": "10.00"})
    closed = await reseller(db, "boreal", balance="1")
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.tenant).where(t.tenant.c.id == closed.id).values(status="archived"))
    assert await watch_balances(db) == 0
    assert await told(db) == []


async def test_every_owner_gets_one_mail_from_the_platform(db: Database) -> None:
    await reseller(db, balance="5")
    await watch_balances(db)
    c = t.outbox.c
    async with db.read(EVERY_TENANT) as connection:
        mails = (await connection.execute(select(c.recipient, c.kind, c.payload))).all()
    payload = {"storefront": "Aurora", "balance": "5.00", "threshold": "10.00"}
    assert [tuple(mail) for mail in mails] == [("owner.invited@aurora.example", "wholesale_low", payload)]
    assert KINDS["wholesale_low"] == "team"
