"""Who changed what, when: written in the transaction of the change itself. Never updated, never deleted."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us

Facts = dict[str, Any]


class AuditRow(Struct, frozen=True, kw_only=True):
    """One change. `tenant` is a slug, None for the platform's own; `before` and `after` hold what changed."""

    id: int
    tenant: str | None
    actor: str
    action: str
    kind: str
    ref: str
    before: Facts | None
    after: Facts | None
    created_at: int


async def record(
    connection: AsyncConnection,
    tenant_id: int | None,
    actor: str,
    action: str,
    kind: str,
    ref: str,
    *,
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """Note a change. `kind` and `ref` name what was changed; no secret belongs into `before` or `after`."""
    row = {
        "tenant_id": tenant_id,
        "actor": actor,
        "action": action,
        "kind": kind,
        "ref": ref,
        "before": before,
        "after": after,
        "created_at": now_us(),
    }
    await connection.execute(insert(t.audit_log).values(row))


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: int | None) -> list[AuditRow]:
    """A tenant's changes, newest first; only those before the row `before_id`, if given."""
    c = t.audit_log.c
    columns = [column for column in t.audit_log.columns if column is not c.tenant_id]
    joined = t.audit_log.join(t.tenant, t.tenant.c.id == c.tenant_id)
    statement = select(*columns, t.tenant.c.slug.label("tenant")).select_from(joined).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [AuditRow(**row) for row in rows.mappings()]
