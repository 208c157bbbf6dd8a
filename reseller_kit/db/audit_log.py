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
    """One change. `tenant_id` is None for the platform's own; `before` and `after` hold what changed."""

    id: int
    tenant_id: int | None
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
    statement = select(t.audit_log).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [AuditRow(**row) for row in rows.mappings()]
