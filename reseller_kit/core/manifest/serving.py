"""How each model is served, for all tenants and where one or a group of one differs: what a plan shows."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from ..catalog import Strategy
from .prices import offers
from .route_sets import group_routes, route_set
from .structs import Document, Model, Route, Tenant


class Way(Struct, frozen=True, kw_only=True):
    """One route: its upstream's full name, and the model's name there."""

    upstream: str
    model: str
    priority: int
    weight: int


class Serving(Struct, frozen=True, kw_only=True):
    """How a model is served. `tenant` None: wherever no other line says else; `group` None: all of the tenant's others.

    Without routes the model is not offered there.
    """

    model: str
    tenant: str | None
    group: str | None
    strategy: Strategy
    fallbacks: tuple[str, ...]
    routes: tuple[Way, ...]


def servings(document: Document) -> Iterator[Serving]:
    """Every model, with a line more for each tenant and group that it is served otherwise for."""
    for name, model in document.models.items():
        shared = Serving(
            model=name,
            tenant=None,
            group=None,
            strategy=model.strategy,
            fallbacks=model.fallbacks,
            routes=_ways(model.routes),
        )
        yield shared
        for tenant in document.tenants:
            if tenant.status != "archived" and offers(tenant.catalog, name):
                yield from _tenant_servings(document, tenant, name, model, shared)


def _tenant_servings(document: Document, tenant: Tenant, name: str, model: Model, shared: Serving) -> Iterator[Serving]:
    stated = tenant.routing.models.get(name)
    strategy = (stated.strategy if stated is not None else None) or model.strategy
    served = route_set(document, tenant, name)
    ways = _ways(served.routes)
    if (strategy, ways) != (shared.strategy, shared.routes):
        yield Serving(
            model=name, tenant=tenant.slug, group=None, strategy=strategy, fallbacks=model.fallbacks, routes=ways
        )
    for group in tenant.groups:
        own, chosen = _ways(group_routes(tenant, group, served)), group.strategy or strategy
        if (chosen, own) != (strategy, ways):
            yield Serving(
                model=name, tenant=tenant.slug, group=group.id, strategy=chosen, fallbacks=model.fallbacks, routes=own
            )


def _ways(routes: tuple[Route, ...]) -> tuple[Way, ...]:
    ordered = sorted(routes, key=lambda route: route.priority)
    return tuple(
        Way(upstream=route.upstream, model=route.model, priority=route.priority, weight=route.weight)
        for route in ordered
    )
