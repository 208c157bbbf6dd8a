"""Checks one host or claim against DNS, and writes what follows: proven, live, failing, detached. One at a time.

DNS is asked with no transaction open; what it said is judged against the rows as they are then.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.domain import Standing, Verdict, judge, step
from ...core.times import DAY_US, HOUR_US
from ...db import audit_log, domains, revisions, tenants
from ...db.domains import Claim, Hosted
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...dns import Resolver
from . import letters
from .holders import refuse_taken, taken
from .look import Check, DomainView, show_domain, slug_of, target_of, unknown

CHECK_US: Final = HOUR_US
_SOURCE: Final = "console"


async def check(db: Database, resolver: Resolver, *, tenant_id: int, host: str, actor: str) -> DomainView:
    """Ask DNS now and let what it says take effect, in every process within a second.

    Raises NotFound for a host that is not the tenant's, Conflict when another tenant proved it first.
    """
    async with db.read(tenant_id) as connection:
        target = target_of(await tenants.platform_settings(connection), await slug_of(connection, tenant_id))
        known = await _find(connection, tenant_id, host)
    if known is None or (isinstance(known, Hosted) and known.state == "tombstone"):
        raise unknown(host)
    found = await resolver.find(host)
    seen = Check(found, await resolver.complete(target))
    async with db.write(EVERY_TENANT) as connection:
        await _apply(connection, tenant_id, host, seen, actor)
    return await show_domain(db, tenant_id, host)


async def _find(connection: Connection, tenant_id: int, host: str) -> Claim | Hosted | None:
    return await domains.find_claim(connection, tenant_id, host) or await domains.find(connection, tenant_id, host)


async def _apply(connection: Connection, tenant_id: int, host: str, seen: Check, actor: str) -> None:
    known = await _find(connection, tenant_id, host)
    if isinstance(known, Claim):
        await _apply_to_claim(connection, tenant_id, known, seen, actor)
    elif isinstance(known, Hosted):
        await _apply_to_host(connection, known, seen, actor)


async def _apply_to_claim(connection: Connection, tenant_id: int, claim: Claim, seen: Check, actor: str) -> None:
    now = now_us()
    if claim.expires_at <= now:
        await domains.drop_claim(connection, tenant_id, claim.host)
        return
    verdict = judge(seen.found, claim.host, claim.challenge, seen.target)
    if not verdict.proven:
        await domains.note_claim(
            connection, tenant_id, claim.host, found=_stored(seen), now=now, next_check_at=now + CHECK_US
        )
        return
    # Somebody may have come first since the claim was made.
    await refuse_taken(connection, tenant_id, claim.host)
    if not await domains.take(
        connection, tenant_id, claim.host, role=claim.role, challenge=claim.challenge, source=_SOURCE, now=now
    ):
        raise taken(claim.host)
    await domains.drop_claim(connection, tenant_id, claim.host)
    after = {"role": claim.role}
    await audit_log.record(connection, tenant_id, actor, "domain.verify", "domain", claim.host, after=after)
    row = await domains.find(connection, tenant_id, claim.host)
    if row is not None:
        await _apply_to_host(connection, row, seen, actor)


async def _apply_to_host(connection: Connection, row: Hosted, seen: Check, actor: str) -> None:
    if row.state == "tombstone":
        return
    now = now_us()
    before = Standing(
        state=row.state, failing_since=row.failing_since, warned_days=row.warned_days, warned_at=row.warned_at
    )
    # The operator vouches for a host of the file: what DNS says is shown and changes nothing.
    checked = row.source == _SOURCE
    verdict = judge(seen.found, row.host, row.challenge or "", seen.target)
    after = step(before, verdict, now) if checked else before
    await domains.note(
        connection,
        row.tenant_id,
        row.host,
        found=_stored(seen),
        now=now,
        next_check_at=_next_check(after, now) if checked else None,
        state=after.state,
        failing_since=after.failing_since,
        warned_days=after.warned_days,
        warned_at=after.warned_at,
    )
    await _tell(connection, row, before, after, verdict, actor)


def _next_check(standing: Standing, now: int) -> int:
    """Hourly; once a day for a host that is not served any more."""
    return now + (DAY_US if standing.state == "detached" else CHECK_US)


async def _tell(
    connection: Connection, row: Hosted, before: Standing, after: Standing, verdict: Verdict, actor: str
) -> None:
    """The record of a change, the mail to the team, and word to every process."""
    if before.state != after.state:
        action = "domain.live" if after.state == "live" else "domain.detach"
        facts = {"state": before.state}, {"state": after.state}
        await audit_log.record(
            connection, row.tenant_id, actor, action, "domain", row.host, before=facts[0], after=facts[1]
        )
        await revisions.bump(connection, "config", str(row.tenant_id))
    if after.state == "detached" != before.state:
        await letters.detached(connection, row.tenant_id, row.host, verdict)
    elif after.warned_days > before.warned_days and after.failing_since is not None:
        await letters.failing(connection, row.tenant_id, row.host, verdict, after.failing_since)
        facts_now = {"warned_days": after.warned_days}
        await audit_log.record(connection, row.tenant_id, actor, "domain.warn", "domain", row.host, after=facts_now)


def _stored(seen: Check) -> Any:
    return msgspec.to_builtins(seen)
