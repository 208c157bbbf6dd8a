"""The operator's own tenant: its row and accounts. It is never listed, planned, pruned or served as a storefront."""

from __future__ import annotations

from typing import Final

from ..core.tenant import PLATFORM_SLUG
from ..db import tenants
from ..db.accounts import create_tenant_accounts
from ..db.scope import admit
from ..db.tenants import Connection, Tenant

_NAME: Final = "Platform"


async def ensure_platform(connection: Connection) -> Tenant:
    """The tenant `platform`, made where it is missing, and admitted to the transaction."""
    found = await tenants.find(connection, PLATFORM_SLUG)
    if found is None:
        tenant_id = await tenants.add(
            connection,
            slug=PLATFORM_SLUG,
            name=_NAME,
            status="active",
            theme="base",
            timezone="UTC",
            settings={},
        )
        await create_tenant_accounts(connection, tenant_id)
        found = await tenants.find(connection, PLATFORM_SLUG)
    if found is None:
        raise AssertionError("a row that was just written is there")
    await admit(connection, found.id)
    return found
