"""Reports of abuse in the isolation walk: one that restricts the customer, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.core.ids import new_id
from reseller_kit.db import abuse, operator_abuse
from reseller_kit.db.abuse import Report
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]
_REPORTS: dict[str, str] = {}
"""Customer → its report."""


def report_of(tenant_id: int, customer_id: str, **facts: Any) -> Report:
    """A report that restricts the customer."""
    plain: dict[str, Any] = {
        "id": new_id("rep"),
        "tenant_id": tenant_id,
        "customer_id": customer_id,
        "category": "fraud",
        "body": "Calls that ask for phishing pages.",
        "request_id": "",
        "happened_at": None,
        "state": "restricted",
        "forced": False,
        "reason": "A report says so.",
        "restricted_at": 5,
        "until": None,
        "appeal": "",
        "appealed_at": None,
        "answer": "",
        "answered_at": None,
        "created_at": 5,
        "changed_at": 5,
    }
    return Report(**plain | facts)


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """One of everything."""
    report = report_of(tenant_id, customer.id)
    _REPORTS[customer.id] = report.id
    await operator_abuse.add(connection, report, upstream="walked", end_user="eu_0", reference=report.id)


def _id(x: Any) -> str:
    return _REPORTS.get(x.customer.id, "rep_01K00000000000000000000000")


READS: dict[str, Query] = {
    "abuse.find": lambda c, tenant, x: abuse.find(c, tenant, _id(x)),
    "abuse.of_customer": lambda c, tenant, x: abuse.of_customer(c, tenant, x.customer.id),
    "abuse.page": lambda c, tenant, _: abuse.page(c, tenant, 100, None),
}
WRITES: dict[str, Query] = {
    "abuse.change": lambda c, tenant, x: abuse.change(c, tenant, _id(x), "restricted", reason="Another."),
    "abuse.forget": lambda c, tenant, x: abuse.forget(c, tenant, x.customer.id),
    "abuse.settle": lambda c, tenant, x: abuse.settle(c, tenant, x.customer.id, 9),
}
