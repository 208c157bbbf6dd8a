"""Use cases on domains: claim a host, or have the operator vouch for it. Proves nothing itself."""

from __future__ import annotations

import secrets

from ...core.domain import (
    CLAIM_US,
    MAX_CLAIMS,
    MAX_HOSTS,
    PlatformNames,
    refuse_host,
    typed_host,
)
from ...core.errors import Conflict, InvalidRequest
from ...core.tenant import DomainRole, normalise_host
from ...db import audit_log, domains, revisions, tenants
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...dns import Resolver, is_public_suffix
from .holders import refuse_taken, taken
from .look import DomainView, platform_names, show_domain, slug_of, target_of
from .prove import check


async def add(
    db: Database, resolver: Resolver, *, tenant_id: int, typed: str, role: DomainRole, actor: str
) -> DomainView:
    """Claim a host and look at once whether DNS proves it already. Claiming again makes a new challenge.

    Raises InvalidRequest for a host that nobody may bring along, Conflict for one that is taken or beyond the limits.
    """
    host, now = typed_host(typed), now_us()
    async with db.write(EVERY_TENANT) as connection:
        platform = await tenants.platform_settings(connection)
        refuse_host(host, platform_names(platform), is_public_suffix=is_public_suffix(host))
        target = target_of(platform, await slug_of(connection, tenant_id))
        if target.cname is None and not target.addresses:
            raise Conflict(
                "Domains of your own are not open yet.", fix="Whoever runs this service has to say where they point."
            )
        await refuse_taken(connection, tenant_id, host)
        await _refuse_beyond_limits(connection, tenant_id, host)
        await domains.put_claim(
            connection,
            tenant_id,
            host,
            role=role,
            challenge=secrets.token_hex(16),
            expires_at=now + CLAIM_US,
            now=now,
        )
        await audit_log.record(connection, tenant_id, actor, "domain.claim", "domain", host, after={"role": role})
    return await check(db, resolver, tenant_id=tenant_id, host=host, actor=actor)


async def vouch(db: Database, *, tenant_id: int, typed: str, role: DomainRole, actor: str) -> DomainView:
    """Give a tenant a live host on the operator's word: DNS is not asked, now or later.

    Raises InvalidRequest for a malformed host, Conflict for one that is taken.
    """
    host, now = normalise_host(typed), now_us()
    async with db.write(EVERY_TENANT) as connection:
        names = platform_names(await tenants.platform_settings(connection))
        _refuse_platforms(host, names, await slug_of(connection, tenant_id))
        await refuse_taken(connection, tenant_id, host, parents_too=False)
        is_ours = await domains.take(connection, tenant_id, host, role=role, challenge=None, source="file", now=now)
        if not is_ours:  # another transaction was faster
            raise taken(host)
        await domains.note(
            connection,
            tenant_id,
            host,
            found=None,
            now=now,
            next_check_at=None,
            state="live",
            failing_since=None,
            warned_days=0,
            warned_at=None,
        )
        await domains.drop_claim(connection, tenant_id, host)
        await audit_log.record(connection, tenant_id, actor, "domain.vouch", "domain", host, after={"role": role})
        await revisions.bump(connection, "config", str(tenant_id))
    return await show_domain(db, tenant_id, host)


async def _refuse_beyond_limits(connection: Connection, tenant_id: int, host: str) -> None:
    held, claimed = await domains.counts(connection, tenant_id)
    if held >= MAX_HOSTS:
        raise Conflict(f"You have {held} domains, the most there may be.", fix="Remove one that you don't need.")
    if claimed >= MAX_CLAIMS and await domains.find_claim(connection, tenant_id, host) is None:
        raise Conflict(
            f"{claimed} domains wait for their records, the most there may be.", fix="Finish or remove one of them."
        )


def _refuse_platforms(host: str, names: PlatformNames, slug: str) -> None:
    """Raise InvalidRequest for the platform's own hosts and for other tenants' fallback hosts."""
    below = names.suffix is not None and (host == names.suffix or host.endswith(f".{names.suffix}"))
    if host in names.hosts or (below and host != f"{slug}.{names.suffix}"):
        raise InvalidRequest(f"{host} is reserved.", param="host", fix="Choose another name.")
