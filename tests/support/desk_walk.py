"""The console's daily work in the isolation walk: a note, and every query of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import insert

from reseller_kit.db import customer_desk
from reseller_kit.db import tables as t
from reseller_kit.db.customer_desk import Search
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """One of everything."""
    await note(connection, tenant_id, customer.id)
    day = dict.fromkeys(t.TOTALLED, 1) | {"grain": "day", "at": 0, "model": "walked", "key_id": "walked"}
    await connection.execute(insert(t.usage_total).values(tenant_id=tenant_id, customer_id=customer.id, **day))


async def note(connection: Connection, tenant_id: int, customer_id: str) -> None:
    await customer_desk.add_note(connection, tenant_id, customer_id, author="a@ours.example", body="x", now=1)


READS: dict[str, Query] = {
    "customer_desk.notes": lambda c, tenant, x: customer_desk.notes(c, tenant, x.customer.id),
    "customer_desk.page": lambda c, tenant, x: customer_desk.page(c, tenant, Search(text=x.customer.email), 100, None),
    "customer_desk.spent": lambda c, tenant, x: customer_desk.spent(c, tenant, [x.customer.id], 0),
}
WRITES: dict[str, Query] = {"customer_desk.add_note": lambda c, tenant, x: note(c, tenant, x.customer.id)}
