"""Upstreams as the operator sees them: endpoints, fingerprints of their keys, what they serve. Opens no secret."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class UpstreamKey(Struct, frozen=True):
    """A stored credential: where it came from and what tells it from others."""

    reference: str
    fingerprint: str


class Upstream(Struct, frozen=True, kw_only=True):
    """A provider endpoint. `models` are the public names routed to it; `plugin` asks it, None: the product's client."""

    name: str
    dialect: str
    base_url: str
    status: str
    keys: list[UpstreamKey]
    models: list[str]
    plugin: str | None = None


async def every(connection: AsyncConnection) -> list[Upstream]:
    """Every upstream, by name."""
    u, k, r, m = t.upstream.c, t.upstream_key.c, t.route.c, t.model.c
    keys: dict[int, list[UpstreamKey]] = {}
    stored = select(k.upstream_id, k.reference, k.fingerprint).order_by(k.upstream_id, k.position)
    for row in await connection.execute(stored):
        keys.setdefault(row.upstream_id, []).append(UpstreamKey(row.reference, row.fingerprint))
    models: dict[int, list[str]] = {}
    routed = select(r.upstream_id, m.name).join(t.model, m.id == r.model_id).distinct()
    active = routed.where(r.status == "active", m.status == "active")
    for upstream_id, model in await connection.execute(active.order_by(r.upstream_id, m.name)):
        models.setdefault(upstream_id, []).append(model)
    rows = await connection.execute(select(u.id, u.name, u.dialect, u.base_url, u.status, u.settings).order_by(u.name))
    return [
        Upstream(
            name=row.name,
            dialect=row.dialect,
            base_url=row.base_url,
            status=row.status,
            keys=keys.get(row.id, []),
            models=models.get(row.id, []),
            plugin=row.settings.get("plugin"),
        )
        for row in rows
    ]


async def endpoints(connection: AsyncConnection) -> list[tuple[str, str]]:
    """Every upstream and model there that a route leads to, by name."""
    u, r, m = t.upstream.c, t.route.c, t.model.c
    routed = (
        select(u.name, r.upstream_model)
        .join(t.upstream, u.id == r.upstream_id)
        .join(t.model, m.id == r.model_id)
        .where(r.status == "active", m.status == "active", u.status == "active")
        .distinct()
    )
    rows = await connection.execute(routed.order_by(u.name, r.upstream_model))
    return [(row.name, row.upstream_model) for row in rows]


async def without_circuits(connection: AsyncConnection) -> set[str]:
    """The names of those with `breaker = false`."""
    u = t.upstream.c
    rows = await connection.execute(select(u.name, u.settings))
    return {row.name for row in rows if row.settings.get("breaker", True) is False}
