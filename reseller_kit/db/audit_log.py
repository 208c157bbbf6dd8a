"""Who changed what, when: written in the transaction of the change itself. Never updated, never deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, Text, cast, insert, or_, select
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


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which changes: of actors that begin with one of these texts, by action, kind of thing, and moments in µs."""

    actors: tuple[str, ...] = ()
    not_actors: tuple[str, ...] = ()
    action: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None
    before_id: int | None = None


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


async def latest(connection: AsyncConnection, tenant_id: int, action: str, ref: str) -> tuple[int, Facts] | None:
    """When something was last done to a thing of the tenant's (µs), and what came of it."""
    c = t.audit_log.c
    mine = (c.tenant_id == tenant_id, c.action == action, c.ref == ref)
    statement = select(c.created_at, c.after).where(*mine).order_by(c.id.desc()).limit(1)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else (row.created_at, row.after or {})


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: int | None) -> list[AuditRow]:
    """A tenant's changes, newest first; only those before the row `before_id`, if given."""
    return await search(connection, tenant_id, AuditFilter(before_id=before_id), limit)


async def search(connection: AsyncConnection, tenant_id: int, wanted: AuditFilter, limit: int) -> list[AuditRow]:
    """A tenant's changes, newest first."""
    c = t.audit_log.c
    statement = narrowed(wanted, limit).where(c.tenant_id == tenant_id)
    return [AuditRow(**row) for row in (await connection.execute(statement)).mappings()]


async def touching(
    connection: AsyncConnection, tenant_id: int, parts: Iterable[str], limit: int, before_id: int | None
) -> list[AuditRow]:
    """The changes of a tenant's configuration that name a field beginning with one of these, newest first.

    That a tenant was made is none of them.
    """
    c = t.audit_log.c
    named = or_(*(cast(c.before, Text).contains(f'"{part}', autoescape=True) for part in parts))
    statement = narrowed(AuditFilter(before_id=before_id), limit).where(c.tenant_id == tenant_id, named)
    statement = statement.where(c.kind.in_(("tenant", "price")), c.action.not_like("%.create"))
    return [AuditRow(**row) for row in (await connection.execute(statement)).mappings()]


async def names(connection: AsyncConnection, tenant_id: int) -> tuple[list[str], list[str]]:
    """The actions and the kinds of things that the tenant's log has, in alphabetical order."""
    c = t.audit_log.c
    statement = select(c.action, c.kind).where(c.tenant_id == tenant_id).distinct()
    rows = (await connection.execute(statement)).all()
    return sorted({row.action for row in rows}), sorted({row.kind for row in rows})


def narrowed(wanted: AuditFilter, limit: int) -> Select[Any]:
    """The statement of a search, whoever's the log; a slug of None is the platform's own."""
    c = t.audit_log.c
    columns = [column for column in t.audit_log.columns if column is not c.tenant_id]
    joined = t.audit_log.outerjoin(t.tenant, t.tenant.c.id == c.tenant_id)
    statement = select(*columns, t.tenant.c.slug.label("tenant")).select_from(joined)
    if wanted.actors:
        statement = statement.where(or_(*(c.actor.startswith(actor, autoescape=True) for actor in wanted.actors)))
    if wanted.not_actors:
        statement = statement.where(*(~c.actor.startswith(actor, autoescape=True) for actor in wanted.not_actors))
    for column, value in ((c.action, wanted.action), (c.kind, wanted.kind)):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(c.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(c.created_at < wanted.until)
    if wanted.before_id is not None:
        statement = statement.where(c.id < wanted.before_id)
    return statement.order_by(c.id.desc()).limit(limit)
