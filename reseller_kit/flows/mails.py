"""Use cases of the operator on the outbox: look at mails, take up those that were given up. Sends none.

Without a tenant these are the operator's own.
"""

from __future__ import annotations

from typing import Final

from ..core.errors import NotFound
from ..core.paging import Page, Window, after, page_of
from ..db import audit_log, outbox
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, TenantScope, now_us
from ..db.outbox import OutboxMail
from .tenants import require_tenant

_LIST: Final = "mails"


async def list_mails(db: Database, tenant_slug: str | None, window: Window) -> Page[OutboxMail]:
    """A tenant's mails, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(_scope(tenant_slug)) as connection:
        tenant = None if tenant_slug is None else await require_tenant(connection, tenant_slug)
        tenant_id = None if tenant is None else tenant.id
        rows = await outbox.page(connection, tenant_id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def retry_mails(db: Database, tenant_slug: str | None, mail_id: str | None, actor: str) -> list[str]:
    """Take up a tenant's parked mails, or one of them; their ids. Raises NotFound for one that is not parked."""
    async with db.write(_scope(tenant_slug)) as connection:
        tenant = None if tenant_slug is None else await require_tenant(connection, tenant_slug)
        tenant_id = None if tenant is None else tenant.id
        taken = await outbox.retry(connection, tenant_id, mail_id, now_us())
        if mail_id is not None and not taken:
            whose, option = (
                ("You have", "") if tenant is None else (f"Tenant {tenant.slug} has", f" --tenant {tenant.slug}")
            )
            raise NotFound(f"{whose} no parked mail {mail_id[:80]!r}.", fix=f"See: reseller-kit mail list{option}")
        for one in taken:
            await audit_log.record(connection, tenant_id, actor, "mail.retry", "mail", one)
    return taken


def _scope(tenant_slug: str | None) -> TenantScope:
    """The operator's own mails have no tenant, so only the scope of all sees them."""
    return EVERY_TENANT if tenant_slug is None else NO_TENANT
