"""Use case of the operator: another storefront made like one that is there. Copies no customer, money or secret."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..core.tenant import TenantStatus
from ..db import audit_log, brand_images
from ..db.engine import EVERY_TENANT, Connection, Database
from ..vault import Vault
from .provision.edit import read_current
from .tenant_made import checked_hosts, checked_slug, make
from .tenant_portable import Portable, portable, still_naming
from .tenants import TenantDetail, require_tenant, show_tenant


class CloneOf(Struct, frozen=True, kw_only=True):
    """What the operator gives of a clone; the first host becomes the primary one."""

    slug: str
    name: str
    hosts: Sequence[str] = ()
    owners: Sequence[str] = ()
    status: TenantStatus = "draft"


class Cloned(Struct, frozen=True, kw_only=True):
    """The new tenant, what of the other stayed behind, and the fields that still name it."""

    detail: TenantDetail
    left_out: Sequence[str]
    still_naming: Sequence[str]


async def clone_tenant(db: Database, vault: Vault, source: str, wanted: CloneOf, *, actor: str) -> Cloned:
    """Make a tenant with the configuration, face, packages and prices of another, in one transaction.

    Raises NotFound, and Conflict for a slug or hosts that are taken.
    """
    checked_slug(wanted.slug)
    hosts = checked_hosts(wanted.hosts)
    async with db.read(EVERY_TENANT) as connection:
        before = await require_tenant(connection, source)
    current = await read_current(db, source)
    found = portable(current.resources, source, of_another=True)
    face = {"name": wanted.name, "status": wanted.status}
    made = Portable(fields={**found.fields, **face}, packages=found.packages, left_out=found.left_out)

    async def also(connection: Connection) -> None:
        tenant = await require_tenant(connection, wanted.slug)
        for sha256 in made.pictures():
            image = await brand_images.find(connection, before.id, sha256)
            if image is not None:
                await brand_images.put(connection, tenant.id, image)
        after = {"from": source, "left_out": list(made.left_out)}
        await audit_log.record(connection, None, actor, "tenant.clone", "tenant", wanted.slug, after=after)

    edits = made.edits(wanted.slug, hosts, wanted.owners)
    await make(db, vault, wanted.slug, edits, actor=actor, also=also)
    own_hosts = [name for kind, name in current.resources if kind == "domain"]
    return Cloned(
        detail=await show_tenant(db, wanted.slug),
        left_out=made.left_out,
        still_naming=still_naming(made, (source, before.name, *own_hosts)),
    )
