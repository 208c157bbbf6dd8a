"""What a tenant offers for sale, as published. Publishes nothing; that is `provisioning`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .kept import kept

T = TypeVar("T")


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


async def versions(connection: AsyncConnection, tenant_id: int, ids: Collection[int]) -> dict[int, Offer]:
    """The tenant's versions of these ids, by id."""
    if not ids:
        return {}
    rows = await connection.execute(_select(tenant_id).where(t.package.c.id.in_(ids)))
    return {row.id: Offer(row.id, row.code, row.version, row.terms) for row in rows}


async def offered_codes(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The codes of what the tenant offers."""
    c = t.package.c
    statement = select(c.code).where(c.tenant_id == tenant_id, c.status == "offered").order_by(c.code)
    return list(await connection.scalars(statement))


async def offers(connection: AsyncConnection, tenant_id: int) -> list[Offer]:
    """Everything that the tenant offers now, each in its newest version, in the order in which pages show it."""
    rows = await connection.execute(*_offered(tenant_id))
    newest = {row.code: Offer(row.id, row.code, row.version, row.terms) for row in rows}
    published = {row[0]: row[1] for row in await connection.execute(*_published(tenant_id))}
    settings = await connection.scalar(*_settings(tenant_id)) or {}
    return in_order(newest, published, settings.get("package_order", ()))


@kept
def _offered(tenant_id: int) -> Select[Any]:
    statement: Select[Any] = _select(tenant_id).where(t.package.c.status == "offered").order_by(t.package.c.id)
    return statement


@kept
def _published(tenant_id: int) -> Select[Any]:
    c = t.package.c
    return select(c.code, func.min(c.id)).where(c.tenant_id == tenant_id).group_by(c.code)


@kept
def _settings(tenant_id: int) -> Select[Any]:
    return select(t.tenant.c.settings).where(t.tenant.c.id == tenant_id)


async def past(connection: AsyncConnection, tenant_id: int) -> list[Offer]:
    """The newest version of each package that the tenant offers no longer."""
    c = t.package.c
    offered_now = select(c.code).where(c.tenant_id == tenant_id, c.status == "offered")
    rows = await connection.execute(_select(tenant_id).where(c.code.not_in(offered_now)).order_by(c.id))
    newest = {row.code: Offer(row.id, row.code, row.version, row.terms) for row in rows}
    return list(newest.values())


async def sold(connection: AsyncConnection, tenant_id: int) -> dict[str, tuple[int, int]]:
    """Code → how many of the package's orders, in any version, were paid, and how many wait for their payment."""
    c, o = t.package.c, t.purchase_order.c
    paid, open_ = func.count(o.paid_at), func.count().filter(o.state.in_(("draft", "checkout_open")))
    joined = select(c.code, paid, open_).join(t.purchase_order, o.package_id == c.id)
    rows = await connection.execute(joined.where(o.tenant_id == tenant_id, c.tenant_id == tenant_id).group_by(c.code))
    return {row[0]: (row[1], row[2]) for row in rows}


def in_order(offers_by_code: Mapping[str, T], published: Mapping[str, int], wanted: Sequence[str]) -> list[T]:
    """Packages as pages show them: those of `wanted` first, the others as they were first `published`."""
    place = {code: number for number, code in enumerate(wanted)}
    codes = sorted(offers_by_code, key=lambda code: (place.get(code, len(place)), published.get(code, 0), code))
    return [offers_by_code[code] for code in codes]


def _select(tenant_id: int) -> Any:
    c = t.package.c
    return select(c.id, c.code, c.version, c.terms).where(c.tenant_id == tenant_id)


def _offer(row: Any) -> Offer | None:
    return None if row is None else Offer(row.id, row.code, row.version, row.terms)
