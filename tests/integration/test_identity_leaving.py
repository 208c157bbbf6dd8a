"""Leaving: a grace period, then the person is gone and the books stay; and what identity tidies up by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from reseller_kit.core.errors import Conflict, InvalidForm
from reseller_kit.core.times import DAY_US
from reseller_kit.db import provisioning, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows import customers, support
from reseller_kit.flows.audit import audit
from reseller_kit.flows.identity import chores, closing, export, login, sessions
from reseller_kit.flows.identity.visit import Identity
from reseller_kit.flows.orders import Wanted, place_order
from reseller_kit.flows.support import NewCase
from reseller_kit.payments import Manual
from tests.support import identity as who
from tests.support.factories import grant, make_key, make_platform, make_tenant
from tests.support.identity import PASSWORD, make_identity, visit_of
from tests.support.rows import all_rows

EMAIL = "jane@example.com"


async def close(identity: Identity, tenant: Tenant) -> str:
    """A customer with a key and credit, whose account is closing; its id."""
    opened = await who.join(identity, tenant)
    customer = await who.customer_of(identity, tenant, EMAIL)
    session = await sessions.current(identity, tenant.id, opened.token)
    assert session is not None
    await grant(identity.db, customer)
    await deal(identity.db, tenant, customer)
    await make_key(identity.db, customer, name="Jane's laptop")
    assert await closing.close(identity, visit_of(tenant), customer.id, session_id=session.id)
    assert await sessions.current(identity, tenant.id, opened.token) is not None
    return customer.id


async def deal(db: Database, tenant: Tenant, customer: Customer) -> None:
    """An order, and a case that the team hears of."""
    terms = {"id": "starter", "title": "Starter", "price": "10.00", "credits": "12.00"}
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, tenant.id, "starter", terms)
        await tenants.add_member(connection, tenant.id, "owner@example.com", "owner")
    wanted = Wanted(package="starter")
    await place_order(db, Manual(), tenant_id=tenant.id, customer_id=customer.id, wanted=wanted, actor="test")
    storefront: Any = SimpleNamespace(tenant_id=tenant.id, name="Aurora", slug=tenant.slug)
    await support.open_case(db, storefront, customer.id, NewCase(subject="For Jane", body="I am Jane."))


async def test_an_account_can_be_kept_within_its_grace(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    customer_id = await close(identity, tenant)
    assert (await who.customer_of(identity, tenant, customer_id)).status == "closing"
    assert await closing.delete_due(db, now_us() + (closing.GRACE_DAYS - 1) * DAY_US) == 0
    assert (await login.log_in(identity, visit_of(tenant), EMAIL, PASSWORD, old_session=None)).opened
    assert await closing.keep(identity, visit_of(tenant), customer_id)
    assert not await closing.keep(identity, visit_of(tenant), customer_id)
    assert await closing.delete_due(db, now_us() + 100 * DAY_US) == 0
    assert (await who.customer_of(identity, tenant, EMAIL)).status == "active"


async def test_an_operators_word_stops_a_deletion(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    customer_id = await close(identity, tenant)
    await customers.suspend_customer(db, tenant.slug, customer_id, "fraud", "test")
    assert await closing.delete_due(db, now_us() + 100 * DAY_US) == 0
    assert not await closing.keep(identity, visit_of(tenant), customer_id)


async def test_after_its_grace_the_person_is_gone_and_the_books_stay(db: Database) -> None:
    await make_platform(db)
    tenant, identity = await make_tenant(db), await make_identity(db)
    customer_id = await close(identity, tenant)
    late = now_us() + (closing.GRACE_DAYS + 1) * DAY_US
    assert await closing.delete_due(db, late) == 1
    assert await closing.delete_due(db, late) == 0
    async with db.read(EVERY_TENANT) as connection:
        rows = await all_rows(connection, tenant.id)
        keys = (await connection.execute(select(t.api_key.c.revoked_at, t.api_key.c.name))).all()
        lots = (await connection.execute(select(t.lot.c.remaining_nano))).all()
    stored = repr(rows).casefold()
    for personal in ("jane", "firefox", "203.0.113"):
        assert personal not in stored
    assert [(row.revoked_at is not None, row.name) for row in keys] == [(True, "")]
    assert len(lots) == 1
    assert (await audit(db)).ok
    with pytest.raises(InvalidForm):
        await login.log_in(identity, visit_of(tenant), EMAIL, PASSWORD, old_session=None)
    with pytest.raises(Conflict):
        await customers.resume_customer(db, tenant.slug, customer_id, "test")
    await who.join(identity, tenant)
    assert (await who.customer_of(identity, tenant, EMAIL)).id != customer_id


async def test_the_export_holds_everything_of_one_customer(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    await who.join(identity, tenant, "bob@example.com")
    customer_id = await close(identity, tenant)
    parts = [part async for part in export.export(identity, tenant.id, customer_id)]
    document = msgspec.json.decode(b"".join(parts))
    assert document["account"]["email"] == EMAIL
    assert [key["name"] for key in document["keys"]] == ["Jane's laptop"]
    assert [line["amount"] for line in document["credit_history"]] == ["10.00"]
    assert [one["version"] for one in document["terms"]] == ["v1"]
    assert document["usage"] == []
    assert [(order["title"], order["price"], order["status"]) for order in document["orders"]] == [
        ("Starter", "10.00", "checkout_open")
    ]
    assert [said["body"] for case in document["support"] for said in case["messages"]] == ["I am Jane."]
    assert b"bob@" not in b"".join(parts)
    assert [part async for part in export.export(identity, tenant.id + 1, customer_id)] == []


async def test_what_ran_out_is_tidied_up(db: Database) -> None:
    tenant, identity = await make_tenant(db), await make_identity(db)
    opened = await who.join(identity, tenant)
    assert await chores.tidy(db) == 0
    assert await sessions.current(identity, tenant.id, opened.token) is not None
    # One session, one link, one browser, and the counts of the sign-up.
    assert await chores.tidy(db, now_us() + 400 * DAY_US) >= 4
    assert await sessions.current(identity, tenant.id, opened.token) is None
    assert await chores.tidy(db, now_us() + 400 * DAY_US) == 0
