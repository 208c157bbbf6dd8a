"""Use case of the operator on the audit log: read it, of one tenant or of all. Writes nothing."""

from __future__ import annotations

from typing import Final

from ..core.paging import Page, Window, after, page_of
from ..db import audit_log, operator
from ..db.audit_log import AuditRow
from ..db.engine import Database
from .tenants import require_tenant, scope_of

_LIST: Final = "events"


async def list_changes(db: Database, tenant_slug: str | None, window: Window) -> Page[AuditRow]:
    """Changes, newest first: a tenant's own, or everybody's and the platform's."""
    key = after(window, _LIST, (int,))
    before = int(key[0]) if key else None
    async with db.read(scope_of(tenant_slug)) as connection:
        if tenant_slug is None:
            rows = await operator.audit_page(connection, window.limit + 1, before)
        else:
            tenant = await require_tenant(connection, tenant_slug)
            rows = await audit_log.page(connection, tenant.id, window.limit + 1, before)
    return page_of(rows, window, _LIST, lambda row: (row.id,))
