"""A customer's personal data goes from every table, nobody else's does, and the books stay right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from reseller_kit.core.errors import Conflict
from reseller_kit.core.ids import new_id
from reseller_kit.core.money import NANO
from reseller_kit.db import audit_log, departures, erasure, outbox
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import customers, support
from reseller_kit.flows.credits import adjust_credit
from reseller_kit.flows.erasure import Erased, Wanted, erase_customer
from reseller_kit.flows.support import NewCase
from tests.support.commands import Cli
from tests.support.factories import grant, make_customer, make_key, make_platform, make_tenant
from tests.support.paying import PayingShop, paying_shop
from tests.support.rows import all_rows

OLD, NAME = "kim.before@example.org", "Kim Novak"
NAMES_NOBODY = {
    "hold": "ids and amounts",
    "usage_record": "ids and amounts",
    "usage_rollup": "ids and amounts",
    "usage_total": "ids and amounts",
    "terms_acceptance": "which version was accepted, and when",
    "voucher_redemption": "which voucher became which lot",
}
"""Tables of customers' rows that stay as they are."""


def test_every_table_of_customers_is_thought_of() -> None:
    """A new table of customers' rows needs a decision: gone, altered, or naming nobody."""
    of_customers = {table.name for table in t.metadata.sorted_tables if "customer_id" in table.c}
    decided = {table.name for table in erasure.GONE} | erasure.ALTERED | NAMES_NOBODY.keys()
    assert of_customers - decided == set()
    assert not {table.name for table in erasure.GONE} & (erasure.ALTERED | NAMES_NOBODY.keys())
    assert {table.name for table in erasure.GONE} <= t.DELETABLE
    assert t.REDACTABLE.keys() == erasure.ALTERED & t.APPEND_ONLY


async def live(shop: PayingShop) -> None:
    """Months of a customer's life, in whatever table a person may be named in."""
    db, tenant, customer = shop.db, shop.tenant, shop.customer
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.customer).where(t.customer.c.id == customer.id).values(name=NAME))
        changed: dict[str, Any] = {"before": {"email": OLD}, "after": {"email": customer.email}}
        await audit_log.record(connection, tenant.id, "test", "customer.email", "customer", customer.id, **changed)
        made = {"email": OLD, "name": NAME}
        await audit_log.record(connection, tenant.id, "test", "customer.create", "customer", customer.id, after=made)
        order = {"reason": f"{NAME} paid by cheque", "customer": customer.id}
        await audit_log.record(connection, tenant.id, "test", "order.note", "order", "ord_1", after=order)
        for kind, recipient in (("email_changed", OLD), ("reset", OLD)):
            mail: dict[str, Any] = {"payload": {"place": "192.0.2.44"}, "dedupe": new_id("req"), "now": now_us()}
            await outbox.add(connection, tenant.id, kind=kind, recipient=recipient, **mail)
        now = {"created_at": now_us(), "tenant_id": tenant.id, "customer_id": customer.id}
        await connection.execute(
            insert(t.customer_note).values(**now, author="a@b.example", body=f"{NAME} calls often")
        )
        session = {"digest": b"1", "id": "ses_1", "agent": "Firefox", "place": "192.0.2.44", "seen_at": 1}
        await connection.execute(insert(t.customer_session).values(**now, **session, expires_at=1))
        await connection.execute(insert(t.spend_alert).values(**now, id="spa_1", period="day", threshold_nano=1))
        inbox: dict[str, Any] = {
            "provider": "paddle",
            "event_id": "evt_n",
            "kind": "customer.updated",
            "fact": None,
            "key_id": "k",
        }
        inbox |= dict.fromkeys(("occurred_at", "received_at", "due_at", "processed_at"), 1)
        await connection.execute(insert(t.inbox).values(tenant_id=tenant.id, sealed=b"kim", **inbox))
    storefront: Any = SimpleNamespace(tenant_id=tenant.id, name="Aurora", slug=tenant.slug)
    await support.open_case(db, storefront, customer.id, NewCase(subject="For Kim", body="I am Kim."))
    async with db.write(EVERY_TENANT) as connection:
        case = {"id": "case_2", "email": OLD, "name": NAME, "subject": "Kim", "state": "open"}
        await connection.execute(
            insert(t.support_case).values(**case, tenant_id=tenant.id, created_at=1, changed_at=1, about="")
        )
        said = {"case_id": "case_2", "author": "customer", "actor": "", "body": "Kim again", "created_at": 1}
        await connection.execute(insert(t.support_message).values(tenant_id=tenant.id, **said))
    await make_key(db, customer, name="Kim's laptop", allow_ips=["192.0.2.0/24"])
    await grant(db, customer)
    await shop.deliver(shop.payment(await shop.order()))
    await adjust_credit(
        db,
        tenant_slug=tenant.slug,
        customer=customer.id,
        amount=-NANO,
        reason="A correction",
        idempotency_key=None,
        actor="test",
    )
    await customers.suspend_customer(db, tenant.slug, customer.id, "Kim shares a key", "test")
    await customers.resume_customer(db, tenant.slug, customer.id, "test")


async def stored(db: Database, tenant_id: int) -> dict[str, list[Any]]:
    async with db.read(EVERY_TENANT) as connection:
        return await all_rows(connection, tenant_id)


async def erase(shop: PayingShop, reference: str = "", **wanted: bool) -> Erased:
    chosen = Wanted(**{"leave_credit": True, **wanted})
    return await erase_customer(shop.db, shop.tenant.slug, reference or shop.customer.email, chosen, actor="test")


async def test_the_person_is_gone_from_every_table_and_the_books_stay(db: Database) -> None:
    await make_platform(db)
    async with paying_shop(db) as shop:
        await live(shop)
        other = await make_tenant(db, "borealis")
        await make_customer(db, other, shop.customer.email)
        await make_customer(db, shop.tenant, "bob@example.com")
        async with db.write(EVERY_TENANT) as connection:
            alike: dict[str, Any] = {
                "recipient": "owner@example.com",
                "payload": {"customer": f"n.{OLD}"},
                "dedupe": "alike",
                "now": 1,
            }
            await outbox.add(connection, shop.tenant.id, kind="order_to_approve", **alike)
        before, elsewhere = await stored(db, shop.tenant.id), await stored(db, other.id)

        tried = await erase(shop, dry_run=True)
        assert (tried.dry_run, tried.left) == (True, {})
        assert await stored(db, shop.tenant.id) == before
        done = await erase(shop)
        assert (done.rows, done.left) == (tried.rows, {})
        assert {
            "audit_log",
            "customer",
            "inbox",
            "outbox",
            "receipt",
            "support_case",
            "spend_alert",
        } <= done.rows.keys()

        after = await stored(db, shop.tenant.id)
        rows = {name: [repr(row).replace(f"n.{OLD}", "") for row in rows] for name, rows in after.items()}
        for personal in ("kim", "novak", "192.0.2", "firefox"):
            found = [(name, text) for name, texts in rows.items() for text in texts if personal in text.casefold()]
            assert found == [], personal
        assert "bob@example.com" in repr(after)
        assert f"n.{OLD}" in repr(after["outbox"])
        assert await stored(db, other.id) == elsewhere
        for books in ("account", "entry", "lot", "txn", "operation", "terms_acceptance"):
            assert after[books] == before[books], books
        assert len(after["audit_log"]) == len(before["audit_log"]) + 1
        async with db.read(EVERY_TENANT) as connection:
            receipt = (await connection.execute(select(t.receipt.c.content, t.receipt.c.number))).one()
            bodies = await connection.scalar(select(func.count(t.inbox.c.sealed)))
        assert (receipt.content["buyer"], receipt.number) == ({"name": shop.customer.id, "email": ""}, 1)
        assert bodies == 0
        assert await shop.sound()

        again = await erase(shop, shop.customer.id)
        assert again.rows.keys() <= {"customer", "api_key", "abuse_report", "audit_log", "support_case"}
        assert (await stored(db, shop.tenant.id))["audit_log"][: len(after["audit_log"])] == after["audit_log"]


async def test_receipts_may_keep_their_buyer(db: Database) -> None:
    async with paying_shop(db) as shop:
        await live(shop)
        kept = await erase(shop, keep_receipts=True)
        assert kept.left == {"receipt": 1}
        assert "receipt" not in kept.rows
        assert (await erase(shop, shop.customer.id)).rows["receipt"] == 1


async def test_a_deletion_by_its_time_takes_all_but_the_receipts(db: Database) -> None:
    async with paying_shop(db) as shop:
        await live(shop)
        async with db.write(EVERY_TENANT) as connection:
            closing = update(t.customer).where(t.customer.c.id == shop.customer.id)
            await connection.execute(closing.values(status="closing", delete_at=1))
        async with db.write(shop.tenant.id) as connection:
            assert await departures.depart(connection, shop.tenant.id, shop.customer.id, now_us())
        rows = await stored(db, shop.tenant.id)
        named = [name for name, found in rows.items() if "kim" in repr(found).casefold()]
        assert named == ["receipt"]


async def test_what_is_under_way_ends_first(db: Database) -> None:
    async with paying_shop(db) as shop:
        order = await shop.order()
        with pytest.raises(Conflict) as refused:
            await erase(shop)
        assert refused.value.details == [
            {"what": "checkout", "id": order.id, "fix": f"reseller-kit order reject {order.id} --reason REASON"}
        ]
        await shop.deliver(shop.payment(order))
        with pytest.raises(Conflict, match=r"12\.00 USD of credit"):
            await erase(shop, leave_credit=False)
        assert (await erase(shop, leave_credit=False, dry_run=True)).credit == 12 * NANO
        assert (await customers.show_customer(db, shop.tenant.slug, shop.customer.id)).status == "active"


async def test_words_of_the_ledger_are_told(db: Database) -> None:
    async with paying_shop(db) as shop:
        common: dict[str, Any] = {"tenant_slug": shop.tenant.slug, "idempotency_key": None, "actor": "test"}
        reason = f"Agreed with {shop.customer.email}"
        await adjust_credit(db, customer=shop.customer.id, amount=NANO, reason=reason, **common)
        found = await erase(shop)
        assert found.left.keys() <= {"txn", "lot", "operation"}
        assert found.left["txn"] == 1


def test_the_command_asks_and_tells(cli: Cli) -> None:
    cli.seed(make_platform)
    cli.seed(lambda db: make_tenant(db, "aurora"))
    cli.seed(lambda db: make_tenant(db, "boreal"))
    made = cli.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com", "--name", "Kim")
    command = ("customer", "erase", "--tenant", "aurora", "kim@example.com")
    asked = cli.run(*command, "--json")
    assert (asked.code, asked.json()["error"]["details"][0]["customer"]) == (8, made["id"])
    assert cli.ask(*command, "--dry-run")["dry_run"] is True
    assert cli.ask("customer", "show", "--tenant", "aurora", "kim@example.com")["status"] == "active"
    assert cli.run("customer", "erase", "--tenant", "boreal", made["id"], "--yes", "--json").code == 4
    done = cli.ask(*command, "--yes")
    assert (done["customer"], done["left"], done["credit"]) == (made["id"], {}, "0.00")
    assert cli.ask("customer", "show", "--tenant", "aurora", made["id"])["status"] == "deleted"
    assert cli.run(*command, "--yes", "--json").code == 4
    told = cli.run("customer", "erase", "--tenant", "aurora", made["id"], "--yes")
    assert "Not reached from here" in told.stderr
