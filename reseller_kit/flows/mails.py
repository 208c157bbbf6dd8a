"""Use cases of the operator on the outbox: look at a tenant's mails, take up those that were given up. Sends none."""

from __future__ import annotations

from typing import Final

from ..core.errors import NotFound
from ..core.paging import Page, Window, after, page_of
from ..db import audit_log, outbox
from ..db.engine import NO_TENANT, Database, now_us
from ..db.outbox import OutboxMail
from .tenants import require_tenant

_LIST: Final = "mails"


async def list_mails(db: Database, tenant_slug: str, window: Window) -> Page[OutboxMail]:
    """A tenant's mails, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await outbox.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def retry_mails(db: Database, tenant_slug: str, mail_id: str | None, actor: str) -> list[str]:
    """Take up a tenant's parked mails, or one of them; their ids. Raises NotFound for one that is not parked."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        taken = await outbox.retry(connection, tenant.id, mail_id, now_us())
        if mail_id is not None and not taken:
            raise NotFound(
                f"Tenant {tenant.slug} has no parked mail {mail_id[:80]!r}.",
                fix=f"See: reseller-kit mail list --tenant {tenant.slug}",
            )
        for one in taken:
            await audit_log.record(connection, tenant.id, actor, "mail.retry", "mail", one)
    return taken
