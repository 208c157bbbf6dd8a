"""What a tenant offers for sale, as published. Publishes nothing; that is `provisioning`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Offer(Struct, frozen=True):
    """The version of a package that is offered now; `terms` as in tenants.toml."""

    code: str
    version: int
    terms: dict[str, Any]


async def offered(connection: AsyncConnection, tenant_id: int, code: str) -> Offer | None:
    """The tenant's offer of this code."""
    c = t.package.c
    statement = select(c.code, c.version, c.terms).where(
        c.tenant_id == tenant_id, c.code == code, c.status == "offered"
    )
    row = (await connection.execute(statement.order_by(c.version.desc()).limit(1))).one_or_none()
    return None if row is None else Offer(row.code, row.version, row.terms)


async def offered_codes(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The codes of what the tenant offers."""
    c = t.package.c
    statement = select(c.code).where(c.tenant_id == tenant_id, c.status == "offered").order_by(c.code)
    return list(await connection.scalars(statement))
