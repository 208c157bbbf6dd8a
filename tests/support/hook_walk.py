"""Webhooks' part of the isolation walk: an endpoint with a delivery and its log, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import hook_deliveries, hook_endpoints
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.hook_deliveries import HookAttempt, HookDelivery
from reseller_kit.db.hook_endpoints import HookEndpoint

Query = Callable[[Connection, int, Any], Awaitable[Any]]


def number(kind: str, customer: Any) -> str:
    """The endpoint or delivery of whose customer it is."""
    return f"{kind}_of_{customer.id}"


def endpoint(tenant_id: int, name: str) -> HookEndpoint:
    return HookEndpoint(
        id=name,
        tenant_id=tenant_id,
        url=f"https://{name}.example/",
        description="",
        events=("*",),
        sealed_by="k",
        sealed=b"s",
        failing_since=1,
        created_at=1,
    )


def delivery(name: str, endpoint_id: str, state: str = "waiting") -> HookDelivery:
    return HookDelivery(
        id=name,
        endpoint_id=endpoint_id,
        event_id=f"evt_{name}",
        type="order.paid",
        body="{}",
        state=state,
        attempts=0,
        due_at=1,
        created_at=1,
        ended_at=None,
    )


def attempt(name: str) -> HookAttempt:
    return HookAttempt(delivery_id=name, created_at=1, status=200, duration_ms=1, answer="", error="")


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """An endpoint with a delivery that was tried, and one that ended."""
    await hook_endpoints.add(connection, tenant_id, endpoint(tenant_id, number("whe", customer)))
    ended = delivery(number("whd_ended", customer), number("whe", customer), "delivered")
    waiting = delivery(number("whd", customer), number("whe", customer))
    await hook_deliveries.add(connection, tenant_id, [waiting, ended])
    await hook_deliveries.log(connection, tenant_id, attempt(number("whd", customer)))


READS: dict[str, Query] = {
    "hook_deliveries.attempts_of": lambda c, tenant, x: hook_deliveries.attempts_of(
        c, tenant, [number("whd", x.customer)]
    ),
    "hook_deliveries.find": lambda c, tenant, x: hook_deliveries.find(c, tenant, number("whd", x.customer)),
    "hook_deliveries.page": lambda c, tenant, x: hook_deliveries.page(c, tenant, number("whe", x.customer), 10, None),
    "hook_endpoints.count": lambda c, tenant, _: hook_endpoints.count(c, tenant),
    "hook_endpoints.find": lambda c, tenant, x: hook_endpoints.find(c, tenant, number("whe", x.customer)),
    "hook_endpoints.page": lambda c, tenant, _: hook_endpoints.page(c, tenant, 10, None),
    "hook_endpoints.switched_on": lambda c, tenant, _: hook_endpoints.switched_on(c, tenant),
}
WRITES: dict[str, Query] = {
    "hook_deliveries.add": lambda c, tenant, x: hook_deliveries.add(
        c, tenant, [delivery(f"whd_new_{tenant}", number("whe", x.customer))]
    ),
    "hook_deliveries.again": lambda c, tenant, x: hook_deliveries.again(c, tenant, number("whd_ended", x.customer), 9),
    "hook_deliveries.conclude": lambda c, tenant, x: hook_deliveries.conclude(
        c, tenant, number("whd", x.customer), "clm", state="failed"
    ),
    "hook_deliveries.hasten": lambda c, tenant, x: hook_deliveries.hasten(c, tenant, number("whd", x.customer), 9),
    "hook_deliveries.log": lambda c, tenant, x: hook_deliveries.log(c, tenant, attempt(number("whd", x.customer))),
    "hook_endpoints.add": lambda c, tenant, _: hook_endpoints.add(c, tenant, endpoint(tenant, f"whe_new_{tenant}")),
    "hook_endpoints.change": lambda c, tenant, x: hook_endpoints.change(
        c, tenant, number("whe", x.customer), description="changed"
    ),
    "hook_endpoints.disable": lambda c, tenant, x: hook_endpoints.disable(
        c, tenant, number("whe", x.customer), "hand", 9
    ),
    "hook_endpoints.note_failure": lambda c, tenant, x: hook_endpoints.note_failure(
        c, tenant, number("whe", x.customer), 9
    ),
    "hook_endpoints.note_success": lambda c, tenant, x: hook_endpoints.note_success(
        c, tenant, number("whe", x.customer)
    ),
    "hook_endpoints.remove": lambda c, tenant, x: hook_endpoints.remove(c, tenant, number("whe", x.customer)),
}
