"""Which routes serve a model for a tenant and for its groups, by the manifest. Prices and checks nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from ..route_sets import allowed, full_name, own_upstream, owner_of, within
from ..toml_lines import Path
from .structs import Document, Group, Model, Route, Tenant, Upstream


class RouteSet(Struct, frozen=True, kw_only=True):
    """The routes of one model for one tenant, each with its upstream's full name.

    `own`: they are all over upstreams of the reseller's own, which it pays itself.
    """

    routes: tuple[Route, ...]
    own: bool = False


class Placed(Struct, frozen=True, kw_only=True):
    """A route of a tenant's own table as it stands in the file, and its upstream's full name."""

    tenant: Tenant
    model: str
    route: Route
    upstream: str
    path: Path

    @property
    def own(self) -> bool:
        """Whether it is over an upstream of the reseller's own."""
        return owner_of(self.upstream) is not None


def route_set(document: Document, tenant: Tenant, name: str) -> RouteSet:
    """What serves a model of the document for the tenant; no route where its table of upstreams leaves none."""
    model, stated = document.models[name], tenant.routing.models.get(name)
    routes = model.routes
    if stated is not None and stated.routes is not None:
        routes = tuple(_resolved(route, model, tenant) for route in stated.routes)
    left = within(routes, allowed(tenant.routing.upstreams, tenant.slug, tenant.upstreams))
    return RouteSet(routes=left, own=any(owner_of(route.upstream) for route in left))


def group_routes(tenant: Tenant, group: Group, served: RouteSet) -> tuple[Route, ...]:
    """What a group's own list of upstreams leaves of the tenant's routes."""
    return within(served.routes, allowed(group.upstreams, tenant.slug, tenant.upstreams))


def stated_routes(document: Document) -> Iterator[Placed]:
    """Every route of every live tenant's own tables, in the file's order."""
    for index, tenant in enumerate(document.tenants):
        for name, stated in tenant.routing.models.items() if tenant.status != "archived" else ():
            for position, route in enumerate(stated.routes or ()):
                yield Placed(
                    tenant=tenant,
                    model=name,
                    route=route,
                    upstream=full_name(route.upstream, tenant.slug, tenant.upstreams),
                    path=("tenants", index, "routing", "models", name, "routes", position),
                )


def all_upstreams(document: Document) -> dict[str, Upstream]:
    """The operator's upstreams and the resellers' own, by full name."""
    own = {
        own_upstream(tenant.slug, name): upstream
        for tenant in document.tenants
        for name, upstream in tenant.upstreams.items()
    }
    return {**document.upstreams, **own}


def with_tenant_routes(document: Document, change: dict[tuple[str, str, int], Route]) -> Document:
    """The document with other routes in tenants' own tables, by (slug, model, position)."""
    if not change:
        return document
    tenants = tuple(_with_routes(tenant, change) for tenant in document.tenants)
    return msgspec.structs.replace(document, tenants=tenants)


def _with_routes(tenant: Tenant, change: dict[tuple[str, str, int], Route]) -> Tenant:
    models = {}
    for name, stated in tenant.routing.models.items():
        routes = stated.routes and tuple(
            change.get((tenant.slug, name, position), route) for position, route in enumerate(stated.routes)
        )
        models[name] = msgspec.structs.replace(stated, routes=routes)
    return msgspec.structs.replace(tenant, routing=msgspec.structs.replace(tenant.routing, models=models))


def _resolved(route: Route, model: Model, tenant: Tenant) -> Route:
    """The route with its upstream's full name; one that the model has as well costs what it costs there."""
    upstream = full_name(route.upstream, tenant.slug, tenant.upstreams)
    cost = route.cost
    if cost is None and owner_of(upstream) is None:
        cost = next(
            (same.cost for same in model.routes if (same.upstream, same.model) == (upstream, route.model)), None
        )
    return msgspec.structs.replace(route, upstream=upstream, cost=cost)
