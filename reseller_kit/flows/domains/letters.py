"""Mails to a reseller's team about a domain that fails, added in the transaction of the fact. Decides on none."""

from __future__ import annotations

from typing import Final

from ...core.domain import DETACH_DAYS, Verdict
from ...core.times import DAY_US, format_time
from ...db import operator, outbox, tenants
from ...db.engine import Connection, now_us

_READERS: Final = frozenset({"owner", "admin"})


async def failing(connection: Connection, tenant_id: int, host: str, verdict: Verdict, since: int) -> None:
    """A warning: what is wrong, and when the domain will be taken out of use."""
    ends = format_time(since + DETACH_DAYS * DAY_US)[:10]
    await _write(connection, tenant_id, "domain_failing", host, _wrong(verdict), {"date": ends})


async def detached(connection: Connection, tenant_id: int, host: str, verdict: Verdict) -> None:
    """The domain was taken out of use."""
    await _write(connection, tenant_id, "domain_detached", host, _wrong(verdict), {})


def _wrong(verdict: Verdict) -> str:
    return "pointing" if verdict.pointed is False else "proof"


async def _write(
    connection: Connection, tenant_id: int, kind: str, host: str, wrong: str, more: dict[str, str]
) -> None:
    tenant = await operator.tenant_by_id(connection, tenant_id)
    if tenant is None:
        return
    now = now_us()
    for member in await tenants.members(connection, tenant_id):
        if member.role in _READERS and member.status != "removed":
            await outbox.add(
                connection,
                tenant_id,
                kind=kind,
                recipient=member.email,
                payload={"storefront": tenant.name, "host": host, "wrong": wrong, **more},
                dedupe=f"{kind}:{host}:{now}:{member.email}"[-200:],
                now=now,
            )
