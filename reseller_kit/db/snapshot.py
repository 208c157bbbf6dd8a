"""Reads what a serving process keeps in memory: hosts, tenants, models, routes, prices, upstreams. Changes nothing.

Like `db.operator` it reads across tenants: the process serves them all and picks one by the request's host.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import revisions
from . import tables as t
from .accounts import DRAWN_ON


class SnapshotRows(Struct, frozen=True, kw_only=True):
    """One consistent read. Each list holds mappings of column name to value."""

    revision: int
    platform: dict[str, Any]
    tenants: list[dict[str, Any]]
    domains: list[dict[str, Any]]
    reseller_accounts: dict[tuple[int, str], int]
    upstreams: list[dict[str, Any]]
    upstream_keys: list[dict[str, Any]]
    own_upstreams: list[dict[str, Any]]
    secrets: dict[str, tuple[str, bytes]]
    models: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    tenant_routes: list[dict[str, Any]]
    cost_versions: dict[str, Any]
    price_versions: list[dict[str, Any]]
    later_prices: list[dict[str, Any]]
    packages: list[dict[str, Any]]


async def read_all(connection: AsyncConnection, now: int) -> SnapshotRows:
    """Everything that routing and pricing need, as of one transaction.

    `now` in µs tells the prices in force from later ones.
    """
    platform = await connection.scalar(select(t.platform.c.settings))
    name = t.secret.c.name
    secrets = await _rows(
        connection, select(t.secret).where(name.startswith("upstream:") | name.startswith("own_upstream:"))
    )
    a = t.account.c
    accounts = select(a.tenant_id, a.kind, a.id).where(a.kind.in_(DRAWN_ON.values()))
    costs = select(t.price_version.c.id, t.price_version.c.prices).where(t.price_version.c.level == "cost")
    c = t.price_version.c
    later = select(t.price_version).where(c.tenant_id.is_not(None), c.effective_from > now)
    p = t.package.c
    first = select(p.tenant_id, p.code, func.min(p.id).label("first")).group_by(p.tenant_id, p.code).subquery()
    same = (first.c.tenant_id == p.tenant_id) & (first.c.code == p.code)
    return SnapshotRows(
        revision=await revisions.current(connection),
        platform=platform or {},
        tenants=await _rows(connection, select(t.tenant)),
        domains=await _rows(connection, select(t.domain).where(t.domain.c.state == "live")),
        reseller_accounts={(row.tenant_id, row.kind): row.id for row in await connection.execute(accounts)},
        upstreams=await _rows(connection, select(t.upstream).where(t.upstream.c.status == "active")),
        upstream_keys=await _rows(connection, select(t.upstream_key).order_by(t.upstream_key.c.position)),
        own_upstreams=await _rows(connection, select(t.own_upstream).where(t.own_upstream.c.status == "active")),
        secrets={row["name"]: (row["key_id"], bytes(row["ciphertext"])) for row in secrets},
        models=await _rows(connection, select(t.model).where(t.model.c.status == "active")),
        routes=await _rows(connection, select(t.route).where(t.route.c.status == "active").order_by(t.route.c.id)),
        tenant_routes=await _rows(
            connection,
            select(t.tenant_route).where(t.tenant_route.c.status == "active").order_by(t.tenant_route.c.id),
        ),
        cost_versions={row.id: row.prices for row in await connection.execute(costs)},
        price_versions=await _rows(connection, _prices_in_force(now)),
        later_prices=await _rows(connection, later.order_by(c.effective_from, c.id)),
        packages=await _rows(
            connection, select(t.package, first.c.first).join(first, same).where(p.status == "offered").order_by(p.id)
        ),
    )


def _prices_in_force(now: int) -> Any:
    """The newest price version of each (tenant, model, level) that is in force at `now`."""
    c = t.price_version.c
    rank = func.row_number().over(
        partition_by=(c.tenant_id, c.model, c.level), order_by=(c.effective_from.desc(), c.id.desc())
    )
    ranked = (
        select(t.price_version, rank.label("rank")).where(c.tenant_id.is_not(None), c.effective_from <= now).subquery()
    )
    return select(ranked).where(ranked.c.rank == 1)


async def _rows(connection: AsyncConnection, statement: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(statement)).mappings()]
