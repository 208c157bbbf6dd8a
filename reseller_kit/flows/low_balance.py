"""Tells resellers that their balance is low: once for each fall below a threshold. Touches no call and moves no money.

Falls are noted under a unique index, so that of several processes one tells. A fall and a deposit between two looks is
nothing that anybody has to act on, and is not told.
"""

from __future__ import annotations

import logging

from ..core.money import format_amount
from ..core.wholesale import crossing, wholesale_terms
from ..db import accounts, audit_log, notices, operator_notices, outbox, tenants
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.operator_notices import WatchedBalance
from ..db.tenants import Tenant
from . import events

_log = logging.getLogger(__name__)


async def watch_balances(db: Database) -> int:
    """Look at every balance with thresholds; how many resellers were told of a fall. Safe in several processes."""
    async with db.read(EVERY_TENANT) as connection:
        balances = await operator_notices.watched(connection)
    told = 0
    for found in balances:
        changed = crossing(found.balance, found.terms.notify_below, found.told)
        if changed.fallen or changed.lifted:
            async with db.write(found.tenant_id) as connection:
                told += await _bring_up_to_date(connection, found)
    return told


async def _bring_up_to_date(connection: Connection, found: WatchedBalance) -> bool:
    """Judge once more inside the transaction that notes it; whether there was a fall to tell."""
    tenant = await tenants.find(connection, found.slug)
    if tenant is None:
        return False
    terms, now = wholesale_terms(tenant.settings), now_us()
    balance = (await accounts.drawn_on(connection, tenant.id, terms.settlement)).balance
    changed = crossing(balance, terms.notify_below, await notices.open_thresholds(connection, tenant.id))
    if changed.lifted:
        await notices.lift(connection, tenant.id, changed.lifted, now)
    noted = [mark for mark in changed.fallen if await notices.open_notice(connection, tenant.id, mark, balance, now)]
    if not noted:
        return False
    await _tell(connection, tenant, threshold=min(noted), balance=balance, now=now)
    return True


async def _tell(connection: Connection, tenant: Tenant, *, threshold: int, balance: int, now: int) -> None:
    """One mail to every owner, whatever number of thresholds was passed at once: the lowest says it all."""
    members = await tenants.members(connection, tenant.id)
    owners = [member.email for member in members if member.role == "owner" and member.status != "removed"]
    shown = {"balance": format_amount(balance), "threshold": format_amount(threshold)}
    for owner in owners:
        await outbox.add(
            connection,
            tenant.id,
            kind="wholesale_low",
            recipient=owner,
            payload={"storefront": tenant.name, **shown},
            dedupe=f"wholesale_low:{threshold}:{now}:{owner}",
            now=now,
        )
    await events.tell(connection, tenant.id, "wholesale.low", shown)
    facts = {**shown, "owners": owners}
    await audit_log.record(connection, tenant.id, "sweep", "wholesale.low", "tenant", tenant.slug, after=facts)
    _log.warning("the balance of %s is %s, below %s", tenant.slug, shown["balance"], shown["threshold"])
