"""Tells of a payment provider that can't be asked: the storefront's team and the operator, once a day each.

Asks nobody. What is told of is over by itself once the provider was asked.
"""

from __future__ import annotations

from typing import Any, Final

from ...core.times import DAY_US, format_time
from ...db import operator, outbox, tenants
from ...db.engine import Connection
from ...db.operator_payments import DuePoll

_MONEY: Final = frozenset({"owner", "finance"})


async def tell_of_failure(connection: Connection, poll: DuePoll, failure: str, now: int) -> None:
    """Mail whoever looks after the storefront's money, and each of `[platform] alert_emails`."""
    tenant = await operator.tenant_by_id(connection, poll.tenant_id)
    if tenant is None:
        return
    told = {
        "storefront": tenant.name,
        "provider": poll.provider,
        "reason": failure,
        "since": format_time(poll.polled_to),
    }
    members = await tenants.members(connection, tenant.id)
    mails: list[tuple[int | None, str, str, dict[str, Any], str]]
    team = [one.email for one in members if one.role in _MONEY and one.status != "removed"]
    platform = await tenants.platform_settings(connection)
    day = now // DAY_US
    mails = [(tenant.id, "payments_unasked", recipient, told, f"{poll.provider}:{day}") for recipient in team]
    facts = {**told, "tenant": tenant.slug}
    for recipient in platform.get("alert_emails", ()):
        mails.append((None, "payments_unasked_at", recipient, facts, f"{tenant.slug}:{poll.provider}:{day}"))
    for tenant_id, kind, recipient, payload, once in mails:
        dedupe = f"{kind}:{once}:{recipient}"[:200]
        await outbox.add(connection, tenant_id, kind=kind, recipient=recipient, payload=payload, dedupe=dedupe, now=now)
