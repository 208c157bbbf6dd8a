"""A tenant's own upstreams and its own routes of public models: written by apply, read where prices are shown.

Decides nothing: which of them serve a call is `core.route_sets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us


class TenantRouteRow(Struct, frozen=True, kw_only=True):
    """One way to serve a public model for one tenant; `upstream` is a full name."""

    model: str
    upstream: str
    upstream_model: str
    priority: int
    weight: int
    cost_version: str


async def put_own_upstream(connection: AsyncConnection, tenant_id: int, name: str, settings: Mapping[str, Any]) -> None:
    """An active upstream of the tenant's own; its settings are its table of tenants.toml."""
    c = t.own_upstream.c
    known = update(t.own_upstream).where(c.tenant_id == tenant_id, c.name == name)
    values = {"settings": dict(settings), "status": "active"}
    if await connection.scalar(known.values(values).returning(c.id)) is None:
        row = {**values, "tenant_id": tenant_id, "name": name, "created_at": now_us()}
        await connection.execute(insert(t.own_upstream).values(row))


async def withdraw_own_upstream(connection: AsyncConnection, tenant_id: int, name: str) -> None:
    """Take an upstream of the tenant's own out of use; its row stays."""
    c = t.own_upstream.c
    own = update(t.own_upstream).where(c.tenant_id == tenant_id, c.name == name)
    await connection.execute(own.values(status="withdrawn"))


async def put_tenant_routes(connection: AsyncConnection, tenant_id: int, routes: Iterable[TenantRouteRow]) -> None:
    """All routes of the tenant's own; those that are not named any more are withdrawn."""
    c = t.tenant_route.c
    active = update(t.tenant_route).where(c.tenant_id == tenant_id, c.status == "active")
    await connection.execute(active.values(status="withdrawn"))
    for route in routes:
        key = (
            c.tenant_id == tenant_id,
            c.model == route.model,
            c.upstream == route.upstream,
            c.upstream_model == route.upstream_model,
        )
        values = {name: getattr(route, name) for name in TenantRouteRow.__struct_fields__}
        known = update(t.tenant_route).where(*key).values(**values, status="active").returning(c.id)
        if await connection.scalar(known) is None:
            await connection.execute(insert(t.tenant_route).values(**values, tenant_id=tenant_id, status="active"))


async def own_upstream_names(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The names of the tenant's active own upstreams."""
    c = t.own_upstream.c
    active = select(c.name).where(c.tenant_id == tenant_id, c.status == "active")
    return list(await connection.scalars(active.order_by(c.name)))


async def upstreams_by_model(connection: AsyncConnection, tenant_id: int) -> dict[str, list[str]]:
    """The full names of the upstreams that serve each active model for the tenant, before any list narrows them."""
    m, r, u, own = t.model.c, t.route.c, t.upstream.c, t.tenant_route.c
    shared = (
        select(m.name, u.name.label("upstream"))
        .join(t.route, r.model_id == m.id)
        .join(t.upstream, u.id == r.upstream_id)
        .where(m.status == "active", r.status == "active", u.status == "active")
        .order_by(m.name, r.priority, r.id)
    )
    found: dict[str, list[str]] = {}
    for row in await connection.execute(shared):
        found.setdefault(row.name, []).append(row.upstream)
    stated: dict[str, list[str]] = {}
    active = select(own.model, own.upstream).where(own.tenant_id == tenant_id, own.status == "active")
    for row in await connection.execute(active.order_by(own.model, own.priority, own.id)):
        stated.setdefault(row.model, []).append(row.upstream)
    return {model: stated.get(model, upstreams) for model, upstreams in found.items()}
