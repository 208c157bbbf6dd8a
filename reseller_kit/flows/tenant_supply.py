"""What a tenant is supplied with, as the operator sees it: upstreams of its own, who serves each model, groups."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..core.route_sets import own_upstream
from ..db import customers, tenant_routes
from ..db.engine import NO_TENANT, Database
from .prices import offered_models
from .tenants import require_tenant


class Group(Struct, frozen=True, kw_only=True):
    """A group of customers, and how many there are in it."""

    id: str
    title: str
    customers: int
    upstreams: list[str] | None
    strategy: str | None
    limits: dict[str, Any] | None


class Supply(Struct, frozen=True, kw_only=True):
    """`models`: each model on offer with the full names of the upstreams that serve it."""

    own_upstreams: list[str]
    models: dict[str, list[str]]
    groups: list[Group]


async def supply_of(db: Database, slug: str) -> Supply:
    """What a tenant is supplied with. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, slug)
        counts = await customers.groups(connection, tenant.id)
        return Supply(
            own_upstreams=[
                own_upstream(slug, name) for name in await tenant_routes.own_upstream_names(connection, tenant.id)
            ],
            models=await offered_models(connection, tenant),
            groups=[_group(group, counts) for group in tenant.settings.get("groups", ())],
        )


def _group(settings: dict[str, Any], counts: dict[str, int]) -> Group:
    return Group(
        id=settings["id"],
        title=settings.get("title", settings["id"]),
        customers=counts.get(settings["id"], 0),
        upstreams=settings.get("upstreams"),
        strategy=settings.get("strategy"),
        limits=settings.get("limits"),
    )
