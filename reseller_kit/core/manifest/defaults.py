"""What the price catalogue adds to a manifest: costs of routes, and limits of models. States nothing in the file.

A model whose cost the file states needs none of it. Of the other models, each route that states no cost takes the
catalogue's by (provider, the model's name there), as it is on the day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..catalog import DEFAULT_CONTEXT, DEFAULT_MAX_OUTPUT, PriceList
from ..price_catalogue import (
    CatalogueOn,
    DatedPrices,
    KnownModel,
    Provider,
    find_model,
    find_provider,
    next_prices,
    prices_on,
    provider_at,
)
from .route_sets import Placed, all_upstreams, stated_routes, with_tenant_routes
from .structs import Cost, CostTier, Document, Model, Route, Upstream

Origin = Literal["route", "model", "catalogue"]

_SILENT_APIS: Final = frozenset({"embeddings", "images", "speech", "transcriptions", "moderations", "rerank"})
"""APIs whose answers have no output tokens, so that a price of none will do."""


class Known(Struct, frozen=True, kw_only=True):
    """What the catalogue knows of a route: never of one whose provider or model it does not know."""

    provider: Provider
    model: KnownModel
    in_force: DatedPrices | None
    following: DatedPrices | None


class CostSource(Struct, frozen=True, kw_only=True):
    """Where the cost of a route comes from. `tenant`: whose table the route stands in; None for a model's own.

    Of one that the catalogue prices: its version, the day from which its price holds (None: ever since), and the day
    of the price that it knows to follow.
    """

    model: str
    upstream: str
    upstream_model: str
    origin: Origin
    tenant: str | None = None
    catalogue: str | None = None
    effective_from: str | None = None
    following_from: str | None = None


def provider_of(upstream: Upstream, on: CatalogueOn) -> Provider | None:
    """The catalogue's provider of an upstream: the one that it names, else the one at its base URL's host."""
    if upstream.provider is not None:
        return find_provider(on.catalogue, upstream.provider)
    return provider_at(on.catalogue, urlsplit(upstream.base_url).hostname or "")


def known_model(route: Route, upstreams: Mapping[str, Upstream], on: CatalogueOn) -> Known | None:
    """What the catalogue knows of the route's model."""
    upstream = upstreams.get(route.upstream)
    provider = None if upstream is None else provider_of(upstream, on)
    model = None if provider is None else find_model(provider, route.model)
    if provider is None or model is None:
        return None
    return Known(
        provider=provider,
        model=model,
        in_force=prices_on(model.prices, on.day),
        following=next_prices(model.prices, on.day),
    )


def catalogue_cost(route: Route, upstreams: Mapping[str, Upstream], on: CatalogueOn) -> PriceList | None:
    """What the catalogue says that a call over the route costs; None where it prices less than an answer may report."""
    known = known_model(route, upstreams, on)
    if known is None or known.in_force is None or lacks_output(known.in_force, upstreams[route.upstream]):
        return None
    return known.in_force.price_list


def lacks_output(prices: DatedPrices, upstream: Upstream) -> bool:
    """Whether the upstream may report output tokens that the list does not price."""
    speaks = upstream.api is None or not _SILENT_APIS.issuperset(upstream.api)
    return speaks and not {"input", "output"} <= prices.prices.keys()


def with_catalogue(document: Document, on: CatalogueOn) -> Document:
    """The document with the cost of each route that takes it from the catalogue."""
    models = {name: _priced(model, document.upstreams, on) for name, model in document.models.items()}
    document = msgspec.structs.replace(document, models=models)
    upstreams, priced = all_upstreams(document), {}
    for placed in stated_routes(document):
        found = catalogue_cost(_full(placed), upstreams, on) if takes_catalogue_cost(document, placed) else None
        if found is not None:
            key = (placed.tenant.slug, placed.model, int(placed.path[-1]))
            priced[key] = msgspec.structs.replace(placed.route, cost=_as_cost(found))
    return with_tenant_routes(document, priced)


def takes_catalogue_cost(document: Document, placed: Placed) -> bool:
    """Whether nothing but the catalogue says what a route of a tenant's own table costs.

    Over an upstream of the operator's it costs what the model's route there does, or the model.
    """
    if placed.route.cost is not None:
        return False
    model = document.models.get(placed.model)
    if placed.own or model is None:
        return True
    same = any((route.upstream, route.model) == (placed.upstream, placed.route.model) for route in model.routes)
    return model.cost is None and not same


def _full(placed: Placed) -> Route:
    return msgspec.structs.replace(placed.route, upstream=placed.upstream)


def _priced(model: Model, upstreams: Mapping[str, Upstream], on: CatalogueOn) -> Model:
    if model.cost is not None or all(route.cost is not None for route in model.routes):
        return model
    routes = []
    for route in model.routes:
        found = catalogue_cost(route, upstreams, on) if route.cost is None else None
        routes.append(route if found is None else msgspec.structs.replace(route, cost=_as_cost(found)))
    return msgspec.structs.replace(model, routes=tuple(routes))


def _as_cost(prices: PriceList) -> Cost:
    tiers = tuple(CostTier(above_input=tier.above_input, **tier.prices) for tier in prices.tiers)
    return Cost(tiers=tiers, **prices.prices)


def cost_sources(document: Document, on: CatalogueOn) -> Iterator[CostSource]:
    """Where the cost of each route comes from, by a document that the catalogue has not priced yet."""
    upstreams = all_upstreams(document)
    for name, model in document.models.items():
        for route in model.routes:
            yield _source(name, route, upstreams, on, by_catalogue=route.cost is None and model.cost is None)
    for placed in stated_routes(document):
        source = _source(
            placed.model, _full(placed), upstreams, on, by_catalogue=takes_catalogue_cost(document, placed)
        )
        yield msgspec.structs.replace(source, tenant=placed.tenant.slug)


def _source(
    name: str, route: Route, upstreams: Mapping[str, Upstream], on: CatalogueOn, *, by_catalogue: bool
) -> CostSource:
    origin: Origin = "route" if route.cost is not None else "model"
    source = CostSource(model=name, upstream=route.upstream, upstream_model=route.model, origin=origin)
    known = known_model(route, upstreams, on) if by_catalogue else None
    if known is None or known.in_force is None:
        return source
    return msgspec.structs.replace(
        source,
        origin="catalogue",
        catalogue=on.catalogue.version,
        effective_from=known.in_force.effective_from or None,
        following_from=known.following.effective_from if known.following else None,
    )


def default_limits(model: Model, upstreams: Mapping[str, Upstream], on: CatalogueOn) -> dict[str, int]:
    """Context and output limit where the file states none: the least that the catalogue knows of the model's routes.

    An answer is part of the context, so neither default contradicts the other limit if the file states that.
    """
    known = [found.model for route in model.routes if (found := known_model(route, upstreams, on)) is not None]
    contexts = [found.context for found in known if found.context is not None]
    outputs = [found.max_output for found in known if found.max_output is not None]
    context = model.context or max(min(contexts, default=DEFAULT_CONTEXT), model.max_output or 0)
    return {"context": context, "max_output": model.max_output or min(context, *outputs or (DEFAULT_MAX_OUTPUT,))}
