"""Use cases on domains: which is the primary one, what each is for, remove, release. Effective within a second."""

from __future__ import annotations

from ...core.errors import Conflict, InvalidRequest, NotFound
from ...core.tenant import DomainRole, is_loopback_host
from ...db import audit_log, domains, operator_domains, revisions, tenants
from ...db.domains import Hosted
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...dns import Resolver
from .look import DomainView, judged, show_domain, slug_of, target_of, unknown


async def make_primary(db: Database, *, tenant_id: int, host: str, actor: str) -> DomainView:
    """Make a live storefront host the one of absolute URLs. Raises NotFound and Conflict."""
    async with db.write(tenant_id) as connection:
        row = await _required(connection, tenant_id, host)
        if row.state != "live" or row.role != "storefront":
            raise Conflict(f"{host} shows no pages now.", fix="Choose a live domain with the role storefront.")
        if not row.is_primary:
            await domains.set_primary(connection, tenant_id, host)
            await _record(connection, tenant_id, actor, "domain.primary", host, after={"primary": True})
    return await show_domain(db, tenant_id, host)


async def set_role(db: Database, *, tenant_id: int, host: str, role: DomainRole, actor: str) -> DomainView:
    """What a host is for: pages and API, API alone, or redirects to the primary one. Raises NotFound."""
    async with db.write(tenant_id) as connection:
        row = await _required(connection, tenant_id, host)
        if row.role != role:
            if row.role == "storefront":
                await _keep_one(connection, tenant_id, row)
            await domains.set_role(connection, tenant_id, host, role)
            await _record(
                connection, tenant_id, actor, "domain.role", host, before={"role": row.role}, after={"role": role}
            )
    return await show_domain(db, tenant_id, host)


async def remove(db: Database, resolver: Resolver, *, tenant_id: int, host: str, actor: str) -> DomainView | None:
    """Stop answering at a host, or give up a claim (then None); what is left of a host.

    While its DNS points here, or nobody can tell, nobody else may take it until the operator releases it.
    """
    async with db.write(tenant_id) as connection:
        if await domains.drop_claim(connection, tenant_id, host):
            await audit_log.record(connection, tenant_id, actor, "domain.unclaim", "domain", host)
            return None
        row = await _required(connection, tenant_id, host)
        target = target_of(await tenants.platform_settings(connection), await slug_of(connection, tenant_id))
    points_here: bool | None = None
    if not is_loopback_host(host):
        found = await resolver.find(host)
        points_here = judged(found, row, await resolver.complete(target)).pointed
    async with db.write(tenant_id) as connection:
        row = await _required(connection, tenant_id, host)
        await _keep_one(connection, tenant_id, row)
        released = points_here is False
        await domains.bury(connection, tenant_id, host, now=now_us(), released=released)
        after = {"state": "tombstone", "released": released}
        await _record(connection, tenant_id, actor, "domain.remove", host, before={"state": row.state}, after=after)
    return await show_domain(db, tenant_id, host)


async def release(db: Database, *, host: str, actor: str) -> None:
    """Let another tenant prove and take a host that is detached or removed. Raises NotFound."""
    async with db.write(EVERY_TENANT) as connection:
        tenant_id = await operator_domains.release(connection, host, now_us())
        if tenant_id is None:
            raise NotFound(
                f"There is no detached or removed domain {host[:253]}.", fix="Have its holder remove it first."
            )
        await _record(connection, tenant_id, actor, "domain.release", host, after={"released": True})


async def _keep_one(connection: Connection, tenant_id: int, row: Hosted) -> None:
    """Refuse to end the only host that shows pages, the console's among them. Raises Conflict."""
    if row.state != "live" or row.role != "storefront":
        return
    if (await tenants.platform_settings(connection)).get("storefront_suffix"):
        return
    others = await domains.hosts(connection, tenant_id)
    if not any(one.host != row.host and one.state == "live" and one.role == "storefront" for one in others):
        raise Conflict("This is the only domain that shows your pages.", fix="Make another one work first.")


async def _required(connection: Connection, tenant_id: int, host: str) -> Hosted:
    row = await domains.find(connection, tenant_id, host)
    if row is None or row.state == "tombstone":
        raise unknown(host)
    return row


async def _record(
    connection: Connection,
    tenant_id: int,
    actor: str,
    action: str,
    host: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object],
) -> None:
    await audit_log.record(connection, tenant_id, actor, action, "domain", host, before=before, after=after)
    await revisions.bump(connection, "config", str(tenant_id))


def role_of(text: str) -> DomainRole:
    """A role by its name. Raises InvalidRequest."""
    roles: dict[str, DomainRole] = {"storefront": "storefront", "api": "api", "alias": "alias"}
    if text not in roles:
        raise InvalidRequest("There is no such role.", param="role", fix="Choose storefront, api or alias.")
    return roles[text]
