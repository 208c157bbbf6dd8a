"""Payments' part of the isolation walk: a delivery, facts of an order, a refund, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import select

from reseller_kit.db import inbox, order_settling, orders, payment_facts, payment_refunds
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.inbox import NewDelivery
from reseller_kit.db.payment_facts import NewFact
from reseller_kit.db.payment_refunds import Refund
from tests.support.shop_walk import add_order

Query = Callable[[Connection, int, Any], Awaitable[Any]]
BACK: Final = "ord_back"
ORDER: Final = "ord_settled"
REFUND: Final = "rfd_walk"
CLAIM: Final = "clm_walk"
FACT = NewFact(
    provider="paddle", kind="payment", ref="txn_walk", status="completed", state={}, occurred_at=1, subscription_ref="s"
)
LOOSE = NewFact(
    provider="paddle",
    kind="adjustment",
    ref="adj_walk",
    status="approved",
    state={},
    occurred_at=1,
    payment_ref="txn_walk",
)


def delivery(event_id: str) -> NewDelivery:
    return NewDelivery(
        provider="paddle",
        event_id=event_id,
        kind="payment",
        occurred_at=1,
        fact={},
        key_id="k",
        sealed=b"x",
        received_at=1,
    )


def refund(refund_id: str = REFUND) -> Refund:
    return Refund(
        id=refund_id,
        order_id=ORDER,
        provider="paddle",
        payment_ref="txn_walk",
        minor=1,
        currency="USD",
        actor="test",
        state="asked",
        due_at=1,
        created_at=1,
    )


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """One of everything, beside the shop's order; what the walk's writes would do is not done yet."""
    for order_id in (ORDER, BACK):
        await add_order(connection, tenant_id, SimpleNamespace(customer=customer), order_id, order_id)
    back = t.purchase_order.update().where(t.purchase_order.c.id == BACK)
    await connection.execute(back.values(state="charged_back"))
    await inbox.add(connection, tenant_id, delivery("evt_walk"))
    await connection.execute(t.inbox.update().where(t.inbox.c.tenant_id == tenant_id).values(claim=CLAIM))
    row, _ = await payment_facts.add_or_lock(connection, tenant_id, FACT, 1)
    await payment_facts.bind(connection, tenant_id, row.id, ORDER)
    await payment_facts.set_problem(connection, tenant_id, row.id, "x")
    await payment_facts.add_or_lock(connection, tenant_id, LOOSE, 1)
    await payment_refunds.add(connection, tenant_id, refund())
    await order_settling.bump(connection, tenant_id, ORDER)
    order = t.purchase_order.c
    held = {"settle_claim": CLAIM, "settle_until": 1}
    await connection.execute(t.purchase_order.update().where(order.id == ORDER).values(held))
    poll = {"tenant_id": tenant_id, "provider": "paddle", "polled_to": 1, "due_at": 1}
    await connection.execute(t.payment_poll.insert().values(poll))


async def fact_id(connection: Connection, kind: str = "payment") -> int:
    return int(await connection.scalar(select(t.payment_fact.c.id).where(t.payment_fact.c.kind == kind)) or 0)


async def delivery_id(connection: Connection) -> int:
    return int(await connection.scalar(select(t.inbox.c.id).limit(1)) or 0)


async def loose(connection: Connection, tenant_id: int, _: Any) -> Any:
    return await payment_facts.bind(connection, tenant_id, await fact_id(connection, "adjustment"), ORDER)


READS: dict[str, Query] = {
    "orders.find_ref": lambda c, tenant, _: orders.find_ref(c, tenant, "manual", f"ref_{ORDER}"),
    "orders.charged_back": lambda c, tenant, x: orders.charged_back(c, tenant, x.customer.id),
    "inbox.last": lambda c, tenant, _: inbox.last(c, tenant, "paddle"),
    "order_settling.progress": lambda c, tenant, _: order_settling.progress(c, tenant, ORDER, "clm", 0),
    "payment_facts.adjustments_of": lambda c, tenant, _: payment_facts.adjustments_of(c, tenant, "paddle", "txn_walk"),
    "payment_facts.payments_called": lambda c, tenant, _: payment_facts.payments_called(c, tenant, "txn_walk"),
    "payment_facts.find": lambda c, tenant, _: payment_facts.find(c, tenant, "paddle", "payment", "txn_walk"),
    "payment_facts.of_order": lambda c, tenant, _: payment_facts.of_order(c, tenant, ORDER),
    "payment_facts.of_subscription": lambda c, tenant, _: payment_facts.of_subscription(c, tenant, "paddle", "s"),
    "payment_facts.page": lambda c, tenant, _: payment_facts.page(c, tenant, 10, None, in_question=True),
    "payment_refunds.find": lambda c, tenant, _: payment_refunds.find(c, tenant, REFUND),
    "payment_refunds.of_order": lambda c, tenant, _: payment_refunds.of_order(c, tenant, ORDER),
}
WRITES: dict[str, Query] = {
    "inbox.add": lambda c, tenant, _: inbox.add(c, tenant, delivery("evt_walk")),
    "inbox.complete": lambda c, tenant, _: _end(c, tenant, failed=False),
    "inbox.fail": lambda c, tenant, _: _end(c, tenant, failed=True),
    "order_settling.bump": lambda c, tenant, _: order_settling.bump(c, tenant, ORDER),
    "order_settling.claim": lambda c, tenant, _: order_settling.claim(c, tenant, ORDER, "clm_other", 1 << 60),
    "order_settling.finish": lambda c, tenant, _: order_settling.finish(c, tenant, ORDER, CLAIM, 1),
    "order_settling.release": lambda c, tenant, _: order_settling.release(c, tenant, ORDER, CLAIM, 5),
    "orders.note": lambda c, tenant, _: orders.note(
        c, tenant, ORDER, event="x", state="draft", actor="test", facts={}, now=1
    ),
    "orders.set_refunded": lambda c, tenant, _: orders.set_refunded(c, tenant, ORDER, 5),
    "payment_facts.add_or_lock": lambda c, tenant, _: payment_facts.add_or_lock(c, tenant, FACT, 5),
    "payment_facts.bind": loose,
    "payment_facts.bind_adjustments": lambda c, tenant, _: payment_facts.bind_adjustments(
        c, tenant, "paddle", "txn_walk", ORDER
    ),
    "payment_facts.decide": lambda c, tenant, _: _decide(c, tenant),
    "payment_facts.replace": lambda c, tenant, _: _replace(c, tenant),
    "payment_facts.set_problem": lambda c, tenant, _: _set_problem(c, tenant),
    "payment_refunds.add": lambda c, tenant, _: payment_refunds.add(c, tenant, refund("rfd_other")),
    "payment_refunds.answered": lambda c, tenant, _: payment_refunds.answered(c, tenant, refund(), "adj_walk"),
    "payment_refunds.change": lambda c, tenant, _: payment_refunds.change(c, tenant, REFUND, "asked", state="refused"),
    "payment_refunds.try_later": lambda c, tenant, _: payment_refunds.try_later(c, tenant, REFUND, "x", 5),
}


async def _end(connection: Connection, tenant_id: int, *, failed: bool) -> None:
    one = await delivery_id(connection)
    if failed:
        await inbox.fail(connection, tenant_id, one, CLAIM, error="x", now=5)
    else:
        await inbox.complete(connection, tenant_id, one, CLAIM, 5)


async def _decide(connection: Connection, tenant_id: int) -> None:
    ids = [await fact_id(connection)]
    await payment_facts.decide(connection, tenant_id, ids, "dismissed", actor="test", note="")


async def _replace(connection: Connection, tenant_id: int) -> None:
    await payment_facts.replace(connection, tenant_id, await fact_id(connection), LOOSE, 5)


async def _set_problem(connection: Connection, tenant_id: int) -> None:
    await payment_facts.set_problem(connection, tenant_id, await fact_id(connection), "y")
