"""Mails about reports of abuse, added in the transaction of the fact. Decides on none, and names no upstream."""

from __future__ import annotations

from typing import Any

from ...core.roles import may
from ...db import outbox, tenants
from ...db.abuse import Listed
from ...db.engine import Connection, now_us
from ...db.tenants import Tenant


async def to_team(connection: Connection, tenant: Tenant, kind: str, listed: Listed, body: str) -> None:
    """Tell whoever of the team may decide. `kind`: abuse_reported | abuse_appealed."""
    report = listed.report
    payload = {
        "storefront": tenant.name,
        "customer": listed.email,
        "category": report.category,
        "body": body,
        "path": f"/console/abuse/{report.id}",
    }
    for member in await tenants.members(connection, tenant.id):
        if member.status != "removed" and may(member.role, "customers", edit=True):
            await _post(connection, tenant.id, kind, member.email, listed, payload)


async def to_customer(connection: Connection, tenant: Tenant, kind: str, listed: Listed, body: str) -> None:
    """Tell the customer. `kind`: access_restricted | access_restored | appeal_upheld."""
    until = listed.report.until
    payload: dict[str, Any] = {"body": body}
    if kind == "access_restricted" and until is not None:
        payload["until"] = {"at": until, "zone": tenant.timezone}
    await _post(connection, tenant.id, kind, listed.email, listed, payload)


async def _post(
    connection: Connection, tenant_id: int, kind: str, recipient: str, listed: Listed, payload: dict[str, Any]
) -> None:
    now = now_us()
    once = f"{kind}:{listed.report.id}:{now}:{recipient}"[:200]
    await outbox.add(connection, tenant_id, kind=kind, recipient=recipient, payload=payload, dedupe=once, now=now)
