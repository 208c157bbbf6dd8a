"""Closing an account: asked for by its customer, undone within a grace period, then its personal data goes.

What money has touched stays: the ledger, usage records and keys' prefixes, under an id that names nobody any more.
"""

from __future__ import annotations

from typing import Final

from ...core.times import DAY_US
from ...db import audit_log, customers, departures, operator_identity, revisions, sessions
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ..brand import told_moment
from . import letters
from .visit import Identity, Visit

GRACE_DAYS: Final = 14
_AT_ONCE: Final = 20


async def close(identity: Identity, visit: Visit, customer_id: str, *, session_id: str) -> int | None:
    """Begin to close an active customer's account; when it is deleted (µs), None for one that is not active.

    Its keys are refused from now on and its other sessions end. The caller has asked for the password.
    """
    now = now_us()
    delete_at = now + GRACE_DAYS * DAY_US
    async with identity.write(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if customer is None or not await customers.set_closing(connection, visit.tenant_id, customer_id, delete_at):
            return None
        await sessions.end_all(connection, visit.tenant_id, customer_id, but=session_id)
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="account_deleted",
            recipient=customer.email,
            once=f"{customer_id}:{delete_at}",
            content={"date": told_moment(delete_at, customer.timezone or visit.timezone)},
        )
        await _note(connection, visit.tenant_id, customer_id, "customer.close")
    return delete_at


async def keep(identity: Identity, visit: Visit, customer_id: str) -> bool:
    """Keep an account that was closing; False for one that was not."""
    async with identity.write(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if customer is None or customer.status != "closing":
            return False
        await customers.set_status(connection, visit.tenant_id, customer_id, "active", None)
        await _note(connection, visit.tenant_id, customer_id, "customer.keep")
    return True


async def delete_due(db: Database, now: int | None = None) -> int:
    """Delete the accounts whose grace period is over, each in a transaction of its own; how many."""
    at = now_us() if now is None else now
    async with db.read(EVERY_TENANT) as connection:
        due = await operator_identity.due_departures(connection, at, _AT_ONCE)
    deleted = 0
    for tenant_id, customer_id in due:
        async with db.write(tenant_id) as connection:
            if await departures.depart(connection, tenant_id, customer_id, at):
                await _note(connection, tenant_id, customer_id, "customer.delete", actor="system")
                deleted += 1
    return deleted


async def _note(
    connection: Connection, tenant_id: int, customer_id: str, action: str, actor: str | None = None
) -> None:
    by = actor or f"customer:{customer_id}"
    await audit_log.record(connection, tenant_id, by, action, "customer", customer_id)
    await revisions.bump(connection, "customer", customer_id)
