"""The part of the isolation walk for what payment providers call packages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from reseller_kit.db import audit_log, orders, provider_prices
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.provider_prices import Account, ProviderPrice
from tests.support.shop_walk import ORDER, package_id

Query = Callable[[Connection, int, Any], Awaitable[Any]]
AT: Final = Account("paddle", "sandbox:1")


async def put(connection: Connection, tenant_id: int) -> None:
    price = ProviderPrice(
        package_id=await package_id(connection), product_ref="pro_1", price_ref="pri_1", currency="USD", minor=1
    )
    await provider_prices.put(connection, tenant_id, AT, price, 1)


async def fill(connection: Connection, tenant_id: int, _: Customer) -> None:
    """One name."""
    await put(connection, tenant_id)
    await audit_log.record(connection, tenant_id, "test", "payments.check", "payments", "walk", after={"a": 1})


async def find(connection: Connection, tenant_id: int) -> Any:
    return await provider_prices.find(connection, tenant_id, AT, await package_id(connection))


async def withdraw(connection: Connection, tenant_id: int) -> None:
    await provider_prices.withdraw(connection, tenant_id, AT, await package_id(connection), 9)


READS: dict[str, Query] = {
    "audit_log.latest": lambda c, tenant, _: audit_log.latest(c, tenant, "payments.check", "walk"),
    "orders.by_reference": lambda c, tenant, _: orders.by_reference(c, tenant, f"ref_{ORDER}"),
    "provider_prices.find": lambda c, tenant, _: find(c, tenant),
    "provider_prices.known": lambda c, tenant, _: provider_prices.known(c, tenant, AT),
}
WRITES: dict[str, Query] = {
    "orders.expect": lambda c, tenant, _: orders.expect(c, tenant, ORDER, {"pin": {}}),
    "provider_prices.put": lambda c, tenant, _: put(c, tenant),
    "provider_prices.withdraw": lambda c, tenant, _: withdraw(c, tenant),
}
