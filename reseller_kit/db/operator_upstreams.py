"""Resellers' own upstreams as the operator sees them, across tenants. Opens no secret, changes nothing."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.route_sets import own_upstream
from . import tables as t
from .upstreams import Upstream, UpstreamKey


async def own_upstreams(connection: AsyncConnection) -> list[Upstream]:
    """Every upstream that a reseller brought, by full name."""
    o, r, s = t.own_upstream.c, t.tenant_route.c, t.secret.c
    stored = select(s.name, s.fingerprint).where(s.name.startswith("own_upstream:"))
    fingerprints = {row.name: row.fingerprint for row in await connection.execute(stored)}
    models: dict[str, list[str]] = {}
    routed = select(r.upstream, r.model).where(r.status == "active").distinct()
    for upstream, model in await connection.execute(routed.order_by(r.upstream, r.model)):
        models.setdefault(upstream, []).append(model)
    rows = await connection.execute(
        select(t.tenant.c.slug, o.name, o.settings, o.status).join(t.tenant, t.tenant.c.id == o.tenant_id)
    )
    found = []
    for row in rows:
        name = own_upstream(row.slug, row.name)
        references = row.settings.get("api_keys", ())
        keys = [
            UpstreamKey(reference, fingerprints[secret])
            for position, reference in enumerate(references)
            if (secret := f"own_upstream:{name}:key:{position}") in fingerprints
        ]
        found.append(
            Upstream(
                name=name,
                dialect=row.settings["dialect"],
                base_url=row.settings["base_url"],
                status=row.status,
                keys=keys,
                models=models.get(name, []),
                plugin=row.settings.get("plugin"),
            )
        )
    return sorted(found, key=lambda upstream: upstream.name)
