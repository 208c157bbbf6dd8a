"""The shop's part of the isolation walk: an order, a case, an announcement, a legal text, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from reseller_kit.core.order import transition
from reseller_kit.db import announcements, legal, model_days, orders, packages, support
from reseller_kit.db import tables as t
from reseller_kit.db.announcements import Announcement
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.legal import LegalRow
from reseller_kit.db.support import Case, Message

Query = Callable[[Connection, int, Any], Awaitable[Any]]
LATER = 1 << 62
ORDER = "ord_walk"
CASE = "case_walk"
NEWS = "ann_walk"


async def package_id(connection: Connection) -> int:
    """The one package that was published."""
    return int(await connection.scalar(select(t.package.c.id).order_by(t.package.c.id).limit(1)) or 0)


async def add_order(connection: Connection, tenant_id: int, x: Any, order_id: str, key: str) -> None:
    values = {
        "id": order_id,
        "customer_id": x.customer.id,
        "package_id": await package_id(connection),
        "provider": "manual",
        "provider_ref": f"ref_{order_id}",
        "provider_facts": {},
        "price_nano": 5,
        "credits_nano": 5,
        "terms_hash": "0",
        "request_key": key,
        "created_at": 1,
        "lapses_at": LATER,
    }
    await orders.add(connection, tenant_id, values, "test")


def case(x: Any, case_id: str = CASE) -> Case:
    return Case(
        id=case_id,
        tenant_id=0,
        customer_id=x.customer.id,
        email=x.customer.email,
        name="",
        subject="Hello",
        about="",
        state="open",
        created_at=1,
        changed_at=1,
    )


def news(news_id: str = NEWS) -> Announcement:
    return Announcement(
        id=news_id,
        tenant_id=0,
        kind="news",
        title="x",
        body="",
        starts_at=1,
        ends_at=None,
        withdrawn_at=None,
        created_at=1,
    )


MESSAGE = Message(author="customer", actor="", body="Hello", created_at=1)
LEGAL = LegalRow(document="terms", lang="en", version="v1", body="x", created_at=1)


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """One of everything."""
    x = SimpleNamespace(customer=customer)
    await add_order(connection, tenant_id, x, ORDER, "form")
    await orders.issue_receipt(connection, tenant_id, ORDER, year=2026, content={}, now=1)
    await support.add(connection, tenant_id, case(x))
    await support.add_message(connection, tenant_id, CASE, MESSAGE)
    await announcements.add(connection, tenant_id, news())
    await legal.keep(connection, tenant_id, LEGAL)
    day = {"tenant_id": tenant_id, "day_at": 0, "model": "m", "calls": 1, "failures": 0}
    await connection.execute(t.model_day.insert().values(day))


async def versions_of(connection: Connection, tenant_id: int) -> Any:
    return await packages.versions(connection, tenant_id, [await package_id(connection)])


async def version_of(connection: Connection, tenant_id: int) -> Any:
    return await packages.version(connection, tenant_id, await package_id(connection))


READS: dict[str, Query] = {
    "announcements.current": lambda c, tenant, _: announcements.current(c, tenant, LATER, 10),
    "announcements.find": lambda c, tenant, _: announcements.find(c, tenant, NEWS),
    "announcements.page": lambda c, tenant, _: announcements.page(c, tenant, 10, None),
    "announcements.recipients": lambda c, tenant, _: announcements.recipients(c, tenant),
    "legal.versions": lambda c, tenant, _: legal.versions(c, tenant, "terms", "en"),
    "model_days.since": lambda c, tenant, _: model_days.since(c, tenant, 0),
    "orders.find": lambda c, tenant, _: orders.find(c, tenant, ORDER),
    "orders.find_request": lambda c, tenant, x: orders.find_request(c, tenant, x.customer.id, "form"),
    "orders.open_count": lambda c, tenant, x: orders.open_count(c, tenant, x.customer.id),
    "orders.page": lambda c, tenant, _: orders.page(c, tenant, 10, None),
    "orders.receipt": lambda c, tenant, _: orders.receipt(c, tenant, ORDER),
    "orders.timeline": lambda c, tenant, _: orders.timeline(c, tenant, ORDER),
    "packages.offers": lambda c, tenant, _: packages.offers(c, tenant),
    "packages.version": lambda c, tenant, _: version_of(c, tenant),
    "packages.versions": lambda c, tenant, _: versions_of(c, tenant),
    "support.find": lambda c, tenant, _: support.find(c, tenant, CASE),
    "support.messages": lambda c, tenant, _: support.messages(c, tenant, CASE),
    "support.open_about": lambda c, tenant, x: support.open_about(c, tenant, x.customer.id, ""),
    "support.open_count": lambda c, tenant, x: support.open_count(c, tenant, x.customer.id),
    "support.page": lambda c, tenant, _: support.page(c, tenant, 10, None),
}
WRITES: dict[str, Query] = {
    "announcements.add": lambda c, tenant, _: announcements.add(c, tenant, news("ann_new")),
    "announcements.end": lambda c, tenant, _: announcements.end(c, tenant, NEWS, 5),
    "announcements.opt_in": lambda c, tenant, x: announcements.opt_in(c, tenant, x.customer.id),
    "announcements.opt_out": lambda c, tenant, x: announcements.opt_out(c, tenant, x.customer.id, 9),
    "announcements.withdraw": lambda c, tenant, _: announcements.withdraw(c, tenant, NEWS, 5),
    "legal.keep": lambda c, tenant, _: legal.keep(c, tenant, LEGAL),
    "orders.add": lambda c, tenant, x: add_order(c, tenant, x, "ord_new", "new"),
    "orders.change": lambda c, tenant, _: orders.change(
        c, tenant, ORDER, transition("draft", "cancel"), actor="test", now=9
    ),
    "orders.issue_receipt": lambda c, tenant, _: issue_another(c, tenant),
    "support.add": lambda c, tenant, x: support.add(c, tenant, case(x, "case_new")),
    "support.add_message": lambda c, tenant, _: support.add_message(c, tenant, CASE, MESSAGE),
    "support.set_state": lambda c, tenant, _: support.set_state(c, tenant, CASE, "closed", 9),
}


async def issue_another(connection: Connection, tenant_id: int) -> None:
    await add_order(
        connection,
        tenant_id,
        SimpleNamespace(customer=SimpleNamespace(id=await any_customer(connection))),
        "ord_other",
        "other",
    )
    await orders.issue_receipt(connection, tenant_id, "ord_other", year=2026, content={}, now=9)


async def any_customer(connection: Connection) -> str:
    return str(await connection.scalar(select(t.customer.c.id).order_by(t.customer.c.id).limit(1)))
