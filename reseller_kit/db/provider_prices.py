"""What a payment provider calls a tenant's versions of packages. Asks no provider."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Account(Struct, frozen=True):
    """An account at a provider: names made in one mean nothing in another."""

    provider: str
    account: str


class ProviderPrice(Struct, frozen=True, kw_only=True):
    """A version's names there. `minor` in the minor unit of `currency`; None, like `price_ref`, for a free amount."""

    package_id: int
    product_ref: str
    price_ref: str | None
    currency: str
    minor: int | None
    withdrawn_at: int | None = None


async def find(connection: AsyncConnection, tenant_id: int, at: Account, package_id: int) -> ProviderPrice | None:
    """The tenant's version as this account knows it, withdrawn or not."""
    row = (
        (await connection.execute(_of(tenant_id, at).where(t.provider_price.c.package_id == package_id)))
        .mappings()
        .one_or_none()
    )
    return None if row is None else ProviderPrice(**row)


async def known(connection: AsyncConnection, tenant_id: int, at: Account) -> list[ProviderPrice]:
    """Everything of the tenant that this account knows and sells."""
    rows = await connection.execute(_of(tenant_id, at).where(t.provider_price.c.withdrawn_at.is_(None)))
    return [ProviderPrice(**row) for row in rows.mappings()]


async def put(connection: AsyncConnection, tenant_id: int, at: Account, price: ProviderPrice, now: int) -> None:
    """Note the names of a version; the latest ones count."""
    names = {name: getattr(price, name) for name in ("product_ref", "price_ref", "currency", "minor")}
    key = {"tenant_id": tenant_id, "provider": at.provider, "account": at.account, "package_id": price.package_id}
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    changed = {**names, "synced_at": now, "withdrawn_at": None}
    await connection.execute(
        upsert(t.provider_price)
        .values({**key, **changed})
        .on_conflict_do_update(index_elements=list(key), set_=changed)
    )


async def withdraw(connection: AsyncConnection, tenant_id: int, at: Account, package_id: int, now: int) -> None:
    """Note that the account sells a version no longer."""
    c = t.provider_price.c
    mine = (c.tenant_id == tenant_id, c.provider == at.provider, c.account == at.account, c.package_id == package_id)
    await connection.execute(update(t.provider_price).where(*mine).values(withdrawn_at=now))


def _of(tenant_id: int, at: Account) -> Select[Any]:
    c = t.provider_price.c
    columns = [c[name] for name in ProviderPrice.__struct_fields__]
    mine = (c.tenant_id == tenant_id, c.provider == at.provider, c.account == at.account)
    return select(*columns).where(*mine).order_by(c.package_id)
