"""Reads what a serving process keeps in memory: hosts, tenants, models, routes, prices, upstreams. Changes nothing.

Like `db.operator` it reads across tenants: the process serves them all and picks one by the request's host.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import revisions
from . import tables as t
from .accounts import DRAWN_ON


class SnapshotRows(Struct, frozen=True, kw_only=True):
    """One consistent read. Each list holds mappings of column name to value.

    `listed` and `places` name all tenants and live hosts; what has a default is of the tenants that were asked for.
    """

    revision: int
    platform: dict[str, Any]
    listed: list[dict[str, Any]]
    places: list[dict[str, Any]]
    next_price_at: int | None
    upstreams: list[dict[str, Any]]
    upstream_keys: list[dict[str, Any]]
    own_upstreams: list[dict[str, Any]]
    secrets: dict[str, tuple[str, bytes]]
    models: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    cost_versions: dict[str, Any]
    tenants: list[dict[str, Any]] = []
    domains: list[dict[str, Any]] = []
    reseller_accounts: dict[tuple[int, str], int] = {}
    tenant_routes: list[dict[str, Any]] = []
    price_versions: list[dict[str, Any]] = []
    later_prices: list[dict[str, Any]] = []
    packages: list[dict[str, Any]] = []


async def read_shared(connection: AsyncConnection, now: int) -> SnapshotRows:
    """What all tenants have in common, and which there are, as of one transaction; nothing else of any tenant.

    `now` in µs tells the prices in force from later ones.
    """
    platform = await connection.scalar(select(t.platform.c.settings))
    name = t.secret.c.name
    secrets = await _rows(
        connection, select(t.secret).where(name.startswith("upstream:") | name.startswith("own_upstream:"))
    )
    n, d, c = t.tenant.c, t.domain.c, t.price_version.c
    later = select(func.min(c.effective_from)).where(c.tenant_id.is_not(None), c.effective_from > now)
    used = select(t.route.c.cost_version).where(t.route.c.status == "active")
    return SnapshotRows(
        revision=await revisions.current(connection),
        platform=platform or {},
        listed=await _rows(connection, select(n.id, n.slug, n.status, n.suspended_at)),
        places=await _rows(connection, select(d.tenant_id, d.host, d.role).where(d.state == "live")),
        next_price_at=await connection.scalar(later),
        upstreams=await _rows(connection, select(t.upstream).where(t.upstream.c.status == "active")),
        upstream_keys=await _rows(connection, select(t.upstream_key).order_by(t.upstream_key.c.position)),
        own_upstreams=await _rows(connection, select(t.own_upstream).where(t.own_upstream.c.status == "active")),
        secrets={row["name"]: (row["key_id"], bytes(row["ciphertext"])) for row in secrets},
        models=await _rows(connection, select(t.model).where(t.model.c.status == "active")),
        routes=await _rows(connection, select(t.route).where(t.route.c.status == "active").order_by(t.route.c.id)),
        cost_versions=await _costs(connection, used),
    )


async def read_tenants(
    connection: AsyncConnection, shared: SnapshotRows, tenant_ids: Collection[int], now: int
) -> SnapshotRows:
    """The same rows with those of some tenants, as of this transaction and its revision."""
    a, c, p, r = t.account.c, t.price_version.c, t.package.c, t.tenant_route.c
    accounts = select(a.tenant_id, a.kind, a.id).where(a.tenant_id.in_(tenant_ids), a.kind.in_(DRAWN_ON.values()))
    later = select(t.price_version).where(c.tenant_id.in_(tenant_ids), c.effective_from > now)
    of_theirs = p.tenant_id.in_(tenant_ids)
    named = select(p.tenant_id, p.code, func.min(p.id).label("first")).where(of_theirs)
    first = named.group_by(p.tenant_id, p.code).subquery()
    same = (first.c.tenant_id == p.tenant_id) & (first.c.code == p.code)
    offered = select(t.package, first.c.first).join(first, same)
    offered = offered.where(of_theirs, p.status == "offered")
    stated = select(t.tenant_route).where(r.tenant_id.in_(tenant_ids), r.status == "active").order_by(r.id)
    used = select(r.cost_version).where(r.tenant_id.in_(tenant_ids), r.status == "active")
    live = select(t.domain).where(t.domain.c.tenant_id.in_(tenant_ids), t.domain.c.state == "live")
    return replace(
        shared,
        revision=await revisions.current(connection),
        tenants=await _rows(connection, select(t.tenant).where(t.tenant.c.id.in_(tenant_ids))),
        domains=await _rows(connection, live),
        reseller_accounts={(row.tenant_id, row.kind): row.id for row in await connection.execute(accounts)},
        tenant_routes=await _rows(connection, stated),
        cost_versions={**shared.cost_versions, **await _costs(connection, used)},
        price_versions=await _rows(connection, _prices_in_force(tenant_ids, now)),
        later_prices=await _rows(connection, later.order_by(c.effective_from, c.id)),
        packages=await _rows(connection, offered.order_by(p.id)),
    )


def _prices_in_force(tenant_ids: Collection[int], now: int) -> Any:
    """The newest price version of each (tenant, model, level) that is in force at `now`."""
    c = t.price_version.c
    rank = func.row_number().over(
        partition_by=(c.tenant_id, c.model, c.level), order_by=(c.effective_from.desc(), c.id.desc())
    )
    ranked = (
        select(t.price_version, rank.label("rank"))
        .where(c.tenant_id.in_(tenant_ids), c.effective_from <= now)
        .subquery()
    )
    return select(ranked).where(ranked.c.rank == 1)


async def _costs(connection: AsyncConnection, used: Any) -> dict[str, Any]:
    """Price lists by version, of those that are `used`: a long past has many more."""
    c = t.price_version.c
    return {row.id: row.prices for row in await connection.execute(select(c.id, c.prices).where(c.id.in_(used)))}


async def _rows(connection: AsyncConnection, statement: Any) -> list[dict[str, Any]]:
    found = await connection.execute(statement)
    # A mapping of each row's own would take three times as long, and there may be ten thousand.
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found.all()]
