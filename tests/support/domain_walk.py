"""The domains' part of the isolation walk: a host and a claim, and every query of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reseller_kit.db import domains
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection

Query = Callable[[Connection, int, Any], Awaitable[Any]]
HOST = "walk.example"
CLAIMED = "claimed.example"
FAR = 1 << 62


async def fill(connection: Connection, tenant_id: int, _: Customer) -> None:
    """One of everything."""
    await domains.take(connection, tenant_id, HOST, role="storefront", challenge="c", source="console", now=1)
    await claim(connection, tenant_id)


async def claim(connection: Connection, tenant_id: int) -> None:
    await domains.put_claim(connection, tenant_id, CLAIMED, role="api", challenge="c", expires_at=FAR, now=1)


async def note(connection: Connection, tenant_id: int) -> None:
    await domains.note(
        connection,
        tenant_id,
        HOST,
        found=None,
        now=9,
        next_check_at=9,
        state="detached",
        failing_since=9,
        warned_days=14,
        warned_at=9,
    )


READS: dict[str, Query] = {
    "domains.claims": lambda c, tenant, _: domains.claims(c, tenant),
    "domains.counts": lambda c, tenant, _: domains.counts(c, tenant),
    "domains.find": lambda c, tenant, _: domains.find(c, tenant, HOST),
    "domains.find_claim": lambda c, tenant, _: domains.find_claim(c, tenant, CLAIMED),
    "domains.hosts": lambda c, tenant, _: domains.hosts(c, tenant),
}
WRITES: dict[str, Query] = {
    "domains.bury": lambda c, tenant, _: domains.bury(c, tenant, HOST, now=9, released=True),
    "domains.drop_claim": lambda c, tenant, _: domains.drop_claim(c, tenant, CLAIMED),
    "domains.note": lambda c, tenant, _: note(c, tenant),
    "domains.note_claim": lambda c, tenant, _: domains.note_claim(c, tenant, CLAIMED, found={}, now=9, next_check_at=9),
    "domains.note_secured": lambda c, tenant, _: domains.note_secured(c, tenant, HOST, 9),
    "domains.put_claim": lambda c, tenant, _: claim(c, tenant),
    "domains.set_primary": lambda c, tenant, _: domains.set_primary(c, tenant, HOST),
    "domains.set_role": lambda c, tenant, _: domains.set_role(c, tenant, HOST, "alias"),
    "domains.take": lambda c, tenant, _: domains.take(
        c, tenant, HOST, role="api", challenge="x", source="console", now=9
    ),
}
