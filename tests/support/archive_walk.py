"""Archives' part of the isolation walk: what is read of a tenant's tables whole, and written into them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import tables as t
from reseller_kit.db import tenant_rows
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """Nothing: accounts come with a tenant and its customers."""


READS: dict[str, Query] = {
    "tenant_rows.keys_of": lambda c, tenant, _: tenant_rows.keys_of(c, tenant, t.account, ["kind", "owner"]),
    "tenant_rows.money_of": lambda c, tenant, _: tenant_rows.money_of(c, tenant),
    "tenant_rows.unfit": lambda c, tenant, _: tenant_rows.unfit(c, tenant, 0),
}
WRITES: dict[str, Query] = {
    "tenant_rows.add": lambda c, tenant, _: tenant_rows.add(
        c, tenant, t.account, [{"kind": "customer_wallet", "owner": "cus_brought"}]
    ),
    "tenant_rows.set_balances": lambda c, tenant, x: tenant_rows.set_balances(c, tenant, x.wallet, {"balance_nano": 9}),
}
