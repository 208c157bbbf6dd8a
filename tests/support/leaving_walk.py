"""How customers and storefronts leave in the isolation walk: every query of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import erasure, offboarding, unsettled
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.erasure import Person

Query = Callable[[Connection, int, Any], Awaitable[Any]]


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """The others have filled all that leaves."""


def whole(x: Any) -> Person:
    """Somebody's customer."""
    one = x.customer
    return Person(id=one.id, wallet_id=x.wallet, status=one.status, name="Ada", addresses=(one.email,))


READS: dict[str, Query] = {
    "erasure.traces": lambda c, tenant, x: erasure.traces(c, tenant, whole(x)),
    "offboarding.count": lambda c, tenant, _: offboarding.count(c, tenant),
    "offboarding.people": lambda c, tenant, _: offboarding.people(c, tenant, 10),
    "unsettled.credit_of": lambda c, tenant, x: unsettled.credit_of(c, tenant, x.wallet),
    "unsettled.held": lambda c, tenant, _: unsettled.held(c, tenant),
    "unsettled.of_customer": lambda c, tenant, x: unsettled.of_customer(c, tenant, x.customer.id),
    "unsettled.of_tenant": lambda c, tenant, _: unsettled.of_tenant(c, tenant),
    "unsettled.renewing": lambda c, tenant, _: unsettled.renewing(c, tenant),
}
WRITES: dict[str, Query] = {
    "erasure.person": lambda c, tenant, x: erasure.person(c, tenant, x.customer.id),
    "erasure.erase": lambda c, tenant, x: erasure.erase(c, tenant, whole(x), 1, receipts=True),
    "offboarding.has_left": lambda c, tenant, _: offboarding.has_left(c, tenant),
    "offboarding.close": lambda c, tenant, _: offboarding.close(c, tenant, now=1, erase_at=2),
    "offboarding.reopen": lambda c, tenant, _: offboarding.reopen(c, tenant),
    "offboarding.clear": lambda c, tenant, _: offboarding.clear(c, tenant, "theirs", 1),
}
