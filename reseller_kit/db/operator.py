"""The operator's reads across tenants: the only module whose queries may name none. Changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.tenant import PLATFORM_SLUG
from . import audit_log, usage
from . import tables as t
from .audit_log import AuditFilter, AuditRow
from .tenants import Domain, Tenant


class CustomerRow(NamedTuple):
    """A customer as far as it is looked for."""

    id: str
    tenant_id: int
    email: str
    status: str


async def tenants(connection: AsyncConnection, limit: int, before_id: int | None) -> list[Tenant]:
    """Every reseller's tenant, newest first; only those before the row `before_id`, if given."""
    c = t.tenant.c
    statement = select(t.tenant).where(c.slug != PLATFORM_SLUG)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Tenant(**row) for row in rows.mappings()]


async def tenant_by_id(connection: AsyncConnection, tenant_id: int) -> Tenant | None:
    """The tenant of this internal id."""
    row = (await connection.execute(select(t.tenant).where(t.tenant.c.id == tenant_id))).mappings().one_or_none()
    return None if row is None else Tenant(**row)


async def domains_of(connection: AsyncConnection, tenant_ids: list[int]) -> dict[int, list[Domain]]:
    """The hosts of several tenants, each list with the primary one first."""
    c = t.domain.c
    statement = select(c.tenant_id, c.host, c.role, c.is_primary, c.state).where(c.tenant_id.in_(tenant_ids))
    found: dict[int, list[Domain]] = {}
    for row in await connection.execute(statement.order_by(c.is_primary.desc(), c.id)):
        domain = Domain(host=row.host, role=row.role, is_primary=row.is_primary, state=row.state)
        found.setdefault(row.tenant_id, []).append(domain)
    return found


async def owner_of_host(connection: AsyncConnection, host: str) -> str | None:
    """The slug of the tenant that has or had this host."""
    statement = select(t.tenant.c.slug).join(t.domain, t.domain.c.tenant_id == t.tenant.c.id)
    return await connection.scalar(statement.where(t.domain.c.host == host))


async def customers_after(connection: AsyncConnection, after_id: str, limit: int) -> list[CustomerRow]:
    """Customers of every tenant by id, behind that one; an empty id begins."""
    c = t.customer.c
    statement = select(c.id, c.tenant_id, c.email, c.status).where(c.id > after_id).order_by(c.id).limit(limit)
    return [CustomerRow(*row) for row in await connection.execute(statement)]


async def tenant_of_key(connection: AsyncConnection, key_id: str) -> int | None:
    """The tenant that a key belongs to."""
    return await connection.scalar(select(t.api_key.c.tenant_id).where(t.api_key.c.id == key_id))


async def tenant_of_voucher(connection: AsyncConnection, voucher_id: str) -> int | None:
    """The tenant that a voucher belongs to."""
    return await connection.scalar(select(t.voucher.c.tenant_id).where(t.voucher.c.id == voucher_id))


async def usage_page(connection: AsyncConnection, wanted: usage.UsageFilter, limit: int) -> list[usage.UsageRecord]:
    """Usage records of every tenant, newest first."""
    rows = await connection.execute(usage.narrowed(t.usage_record.c.tenant_id, wanted, limit))
    return [usage.from_row(row) for row in rows.mappings()]


async def audit_page(connection: AsyncConnection, limit: int, before_id: int | None) -> list[AuditRow]:
    """Changes of every tenant and of the platform itself, newest first."""
    return await audit_search(connection, AuditFilter(before_id=before_id), limit)


async def audit_search(connection: AsyncConnection, wanted: AuditFilter, limit: int) -> list[AuditRow]:
    """As `audit_page`, narrowed."""
    rows = await connection.execute(audit_log.narrowed(wanted, limit))
    return [AuditRow(**row) for row in rows.mappings()]


async def audit_names(connection: AsyncConnection) -> tuple[list[str], list[str]]:
    """The actions and the kinds of things that the whole log has, in alphabetical order."""
    c = t.audit_log.c
    rows = (await connection.execute(select(c.action, c.kind).distinct())).all()
    return sorted({row.action for row in rows}), sorted({row.kind for row in rows})
