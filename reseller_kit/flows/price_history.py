"""Use cases of a reseller on what its prices were: each change of them, and the draft that goes back behind one.

What is gone through are the records of the changes themselves, so it holds for those of the file, of the console and
of scheduled changes alike. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.errors import NotFound
from ..core.manifest import Report, Tenant, document_of
from ..core.price_draft import Draft, draft_of
from ..db import audit_log
from ..db.audit_log import AuditRow
from ..db.engine import NO_TENANT, Database
from .provision.edit import Current, read_current
from .tenants import require_tenant

PAGE: Final = 20
_MOST: Final = 1000
_PARTS: Final = ("pricing.", "catalog.")


class PriceChange(Struct, frozen=True, kw_only=True):
    """One change of prices or of what is offered: fields → (before, after), in the file's terms; None: not stated."""

    id: int
    at: int
    actor: str
    fields: Mapping[str, tuple[Any, Any]]


async def price_changes(db: Database, tenant_slug: str, before_id: int | None = None) -> tuple[list[PriceChange], bool]:
    """The latest changes, newest first, only those before `before_id` if it is given; and whether there are more."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await audit_log.touching(connection, tenant.id, _PARTS, PAGE + 1, before_id)
    return [_change(row) for row in rows[:PAGE]], len(rows) > PAGE


async def draft_before(db: Database, tenant_slug: str, change_id: int) -> Draft:
    """What held until a change was made. Raises NotFound."""
    current = await read_current(db, tenant_slug)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await audit_log.touching(connection, tenant.id, _PARTS, _MOST, None)
    if change_id not in {row.id for row in rows}:
        raise NotFound("There is no such change of prices.")
    fields = dict(current.resources["tenant", tenant_slug])
    for row in rows:
        for name, (old, _) in _change(row).fields.items():
            fields[name] = old
        if row.id == change_id:
            break
    return draft_of(_tenant_of(current, fields))


async def change_of(db: Database, tenant_slug: str, change_id: int) -> int:
    """When a change was made (µs). Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await audit_log.touching(connection, tenant.id, _PARTS, 1, change_id + 1)
    if not rows or rows[0].id != change_id:
        raise NotFound("There is no such change of prices.")
    return rows[0].created_at


def _tenant_of(current: Current, fields: Mapping[str, Any]) -> Tenant:
    slug = current.tenant.slug
    stated = {name: value for name, value in fields.items() if value is not None}
    document = document_of({("platform", "platform"): {"name": slug}, ("tenant", slug): stated}, Report("", {}))
    return document.tenants[0]


def _change(row: AuditRow) -> PriceChange:
    old, new = row.before or {}, row.after or {}
    names = [name for name in {**old, **new} if name.startswith(_PARTS)]
    return PriceChange(
        id=row.id,
        at=row.created_at,
        actor=row.actor,
        fields={name: (old.get(name), new.get(name)) for name in names},
    )
