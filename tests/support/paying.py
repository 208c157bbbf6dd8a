"""A shop whose customers pay through `tests.support.payments.Till`: orders, deliveries, and what came of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import select, update

from reseller_kit.core.money import parse_amount
from reseller_kit.core.payment import Fact, Payment
from reseller_kit.db import payment_facts, payment_refunds, provisioning, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, open_writer
from reseller_kit.db.orders import Order
from reseller_kit.db.payment_refunds import Refund
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.audit import audit
from reseller_kit.flows.credits import CreditBalance, credit_balance
from reseller_kit.flows.orders import OrderDetail, Wanted, place_order, refund_order, show_order
from reseller_kit.flows.orders.checkout import Names
from reseller_kit.flows.payments import WantedRefund, receive, take
from reseller_kit.flows.payments.chores import settle_forgotten, work_in
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import Vault
from tests.support import payments
from tests.support.factories import SECRET_KEY, make_customer, make_tenant
from tests.support.payments import Till, Tills

STARTER: Final[dict[str, Any]] = {
    "id": "starter",
    "title": "Starter",
    "kind": "package",
    "price": "10.00",
    "credits": "12.00",
    "valid_days": 90,
}
PRICE: Final = 1_000
"""Of the package, in cents; a payment of it is a fifth more."""
CREDITS: Final = parse_amount("12.00")


class PayingShop:
    """One tenant, its customer, and the provider that it is paid through."""

    def __init__(
        self, db: Database, vault: Vault, ledger: LedgerWriter, tenant: Tenant, customer: Customer, till: Till
    ) -> None:
        self.db, self.vault, self.ledger = db, vault, ledger
        self.tenant, self.customer, self.till = tenant, customer, till
        self.providers = Tills(db, till)
        self._events = 0

    async def order(self, key: str | None = None, names: Names | None = None, **wanted: Any) -> Order:
        placed = await place_order(
            self.db,
            self.till,
            tenant_id=self.tenant.id,
            customer_id=self.customer.id,
            wanted=Wanted(package="starter", request_key=key, **wanted),
            actor="test",
            names=names,
        )
        return placed.order

    def payment(self, order: Order, **other: Any) -> Payment:
        ref = other.pop("ref", order.provider_ref)
        return payments.paid(other.pop("order_id", order.id), ref, other.pop("minor", PRICE), **other)

    async def deliver(self, *facts: Fact, event: str | None = None) -> list[bool]:
        """Each fact as a signed delivery, then worked in."""
        kept = []
        for fact in facts:
            self._events += 1
            body, headers = payments.delivery(event or f"evt_{self._events}", fact, at=now_us())
            kept.append(
                await receive(
                    self.db,
                    self.vault,
                    self.till,
                    tenant_id=self.tenant.id,
                    name=self.till.name,
                    body=body,
                    headers=headers,
                )
            )
        while await work_in(self.db, self.ledger):
            pass
        return kept

    async def take(self, fact: Fact, provider: str = "") -> None:
        await take(
            self.db,
            self.ledger,
            tenant_id=self.tenant.id,
            provider=provider or self.till.name,
            fact=fact,
            actor="test",
        )

    async def refund(self, order: Order, amount: str | None = None, **other: Any) -> OrderDetail:
        wanted = WantedRefund(
            order_id=order.id,
            amount=None if amount is None else parse_amount(amount),
            reason=other.pop("reason", "goodwill"),
            actor="test",
            **other,
        )
        return await refund_order(self.db, self.ledger, self.providers, wanted)

    async def refunds(self, order: Order) -> list[Refund]:
        async with self.db.read(self.tenant.id) as connection:
            return await payment_refunds.of_order(connection, self.tenant.id, order.id)

    async def state(self, order: Order) -> str:
        return (await show_order(self.db, order.id)).order.state

    async def credit(self) -> CreditBalance:
        return await credit_balance(self.db, self.tenant.slug, self.customer.id)

    async def balance(self) -> int:
        return (await self.credit()).wallet.balance

    async def in_question(self) -> list[str]:
        async with self.db.read(self.tenant.id) as connection:
            rows = await payment_facts.page(connection, self.tenant.id, 100, None, in_question=True)
        return [row.problem for row in rows]

    async def mails(self) -> list[str]:
        async with self.db.read(EVERY_TENANT) as connection:
            return list(await connection.scalars(select(t.outbox.c.kind).order_by(t.outbox.c.id)))

    async def repair(self) -> int:
        """What the sweep does once claims have run out."""
        async with self.db.write(EVERY_TENANT) as connection:
            await connection.execute(update(t.purchase_order).values(settle_until=now_us() - 1))
            await connection.execute(update(t.inbox).values(due_at=now_us() - 1))
            await connection.execute(update(t.payment_refund).values(due_at=now_us() - 1))
        worked = 0
        while done := await work_in(self.db, self.ledger):
            worked += done
        return worked + await settle_forgotten(self.db, self.ledger)

    async def sound(self) -> bool:
        report = await audit(self.db)
        assert report.ok, report.findings
        return report.ok


@asynccontextmanager
async def paying_shop(
    db: Database, slug: str = "aurora", till: Till | None = None, **settings: Any
) -> AsyncIterator[PayingShop]:
    """The shop on a database of the test's own."""
    vault = await unlock(db, SECRET_KEY)
    tenant = await make_tenant(
        db, slug, hosts=[f"{slug}.example"], settings={"payments": {"provider": "paddle"}, **settings}
    )
    customer = await make_customer(db, tenant, "kim@example.com")
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.publish_package(connection, tenant.id, "starter", STARTER)
        await tenants.add_member(connection, tenant.id, "owner@example.com", "owner")
    ledger = open_writer(db)
    await ledger.start()
    try:
        yield PayingShop(db, vault, ledger, tenant, customer, till or Till())
    finally:
        await ledger.close()
