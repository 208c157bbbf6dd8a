"""Use case of the operator on usage records: list them, of one tenant or of all. Explains no charge."""

from __future__ import annotations

from typing import Final

from ..core.errors import InvalidRequest
from ..core.paging import Page, Window, after, page_of
from ..db import operator, usage
from ..db.engine import Database
from ..db.usage import UsageFilter, UsageRecord
from .customers import require_customer
from .tenants import require_tenant, scope_of

_LIST: Final = "records"


async def list_usage(
    db: Database, *, tenant_slug: str | None, customer: str | None, since: int | None, window: Window
) -> Page[UsageRecord]:
    """Usage records, newest first; `since` in µs. A customer is looked for within its tenant, which must be given."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    if customer is not None and tenant_slug is None:
        raise InvalidRequest(
            "A customer belongs to a tenant, and none is given.", param="tenant", fix="Give --tenant as well."
        )
    async with db.read(scope_of(tenant_slug)) as connection:
        if tenant_slug is None:
            rows = await operator.usage_page(connection, UsageFilter(None, since, before), window.limit + 1)
        else:
            tenant = await require_tenant(connection, tenant_slug)
            owner = None if customer is None else (await require_customer(connection, tenant, customer)).id
            rows = await usage.page(connection, tenant.id, UsageFilter(owner, since, before), window.limit + 1)
    return page_of(rows, window, _LIST, lambda row: (row.id,))
