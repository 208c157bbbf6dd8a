"""What a tenant offers for sale, as published. Publishes nothing; that is `provisioning`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Offer(Struct, frozen=True):
    """A version of a package; `terms` as in tenants.toml."""

    id: int
    code: str
    version: int
    terms: dict[str, Any]


async def offered(connection: AsyncConnection, tenant_id: int, code: str) -> Offer | None:
    """The version of this code that the tenant offers now."""
    c = t.package.c
    statement = _select(tenant_id).where(c.code == code, c.status == "offered")
    return _offer((await connection.execute(statement.order_by(c.version.desc()).limit(1))).one_or_none())


async def version(connection: AsyncConnection, tenant_id: int, package_id: int) -> Offer | None:
    """The tenant's version of this id, offered or not any more."""
    return _offer((await connection.execute(_select(tenant_id).where(t.package.c.id == package_id))).one_or_none())


async def offered_codes(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The codes of what the tenant offers."""
    c = t.package.c
    statement = select(c.code).where(c.tenant_id == tenant_id, c.status == "offered").order_by(c.code)
    return list(await connection.scalars(statement))


async def offers(connection: AsyncConnection, tenant_id: int) -> list[Offer]:
    """Everything that the tenant offers now, each in its newest version, in the order in which it was published."""
    c = t.package.c
    rows = await connection.execute(_select(tenant_id).where(c.status == "offered").order_by(c.id))
    newest = {row.code: Offer(row.id, row.code, row.version, row.terms) for row in rows}
    return list(newest.values())


def _select(tenant_id: int) -> Any:
    c = t.package.c
    return select(c.id, c.code, c.version, c.terms).where(c.tenant_id == tenant_id)


def _offer(row: Any) -> Offer | None:
    return None if row is None else Offer(row.id, row.code, row.version, row.terms)
