"""What an operator should know where the price catalogue stands in for a cost. Prices nothing itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..catalog import PriceList
from ..price_catalogue import CatalogueOn, nearest_names
from ..pricing import losses
from ..toml_lines import Path
from .defaults import Known, catalogue_cost, known_model, lacks_output, provider_of, takes_catalogue_cost
from .findings import Report
from .prices import price_list
from .reader import suggest
from .route_sets import all_upstreams, stated_routes
from .structs import Cost, Document, Route, Upstream

_STATE_IT = 'add cost = { input = "…", output = "…" } (USD per million tokens) to the route or the model.'


def check_catalogue_use(document: Document, report: Report, on: CatalogueOn) -> None:
    """Warn of doubts about prices that the catalogue gives. Takes a document that it has not priced yet."""
    for name, model in document.models.items():
        for index, route in enumerate(model.routes):
            path = ("models", name, "routes", index)
            known = known_model(route, document.upstreams, on)
            if route.cost is not None or known is None or known.in_force is None or report.is_broken(path[:2]):
                continue
            if model.cost is None:
                _check_doubts(route, known, path, report)
            else:
                _check_dearer(model.cost, catalogue_cost(route, document.upstreams, on), path, report)
    upstreams = all_upstreams(document)
    for placed in stated_routes(document):
        route = msgspec.structs.replace(placed.route, upstream=placed.upstream)
        known = known_model(route, upstreams, on) if takes_catalogue_cost(document, placed) else None
        if known is not None and known.in_force is not None and not report.is_broken(placed.path):
            _check_doubts(route, known, placed.path, report)


def why_unpriced(route: Route, upstreams: Mapping[str, Upstream], on: CatalogueOn) -> tuple[str, str]:
    """Why the catalogue has no cost for the route, and what to do."""
    missing = f"Nothing says what {route.model!r} costs at {route.upstream!r}"
    upstream = upstreams.get(route.upstream)
    if upstream is None or not on.catalogue.providers:
        return f"{missing}.", _sentence(_STATE_IT)
    provider = provider_of(upstream, on)
    if provider is None:
        return _unknown_provider(missing, upstream, on)
    known = known_model(route, upstreams, on)
    where = f"the price catalogue ({on.catalogue.version})"
    if known is None:
        near = " or ".join(f'"{name}"' for name in nearest_names(provider, route.model))
        message = f"{missing}: {where} has no model of that name at {provider.id}."
        return message, f"Did you mean {near}? Else {_STATE_IT}" if near else _sentence(_STATE_IT)
    if known.in_force is None:
        reason = known.model.refused or "its first price lies in the future"
        return f"{missing}: {where} can't price it ({reason}).", _sentence(_STATE_IT)
    if lacks_output(known.in_force, upstream):
        message = f"{missing}: {where} prices only {', '.join(known.in_force.prices)}, and answers there have output."
        fix = f'Say what the upstream serves, such as api = ["embeddings"], or {_STATE_IT}'
        return message, fix
    return f"{missing}.", _sentence(_STATE_IT)


def _unknown_provider(missing: str, upstream: Upstream, on: CatalogueOn) -> tuple[str, str]:
    ids = [provider.id for provider in on.catalogue.providers]
    if upstream.provider is not None:
        message = f"{missing}: the price catalogue has no provider {upstream.provider!r}."
        near = suggest(upstream.provider, ids)
        return message, f"{near} Else {_STATE_IT}" if near else _sentence(_STATE_IT)
    message = f"{missing}: its host is no provider's that the price catalogue knows."
    return message, f'Name the provider on the upstream, such as provider = "{ids[0]}", or {_STATE_IT}'


def _check_dearer(stated: Cost, by_catalogue: PriceList | None, path: Path, report: Report) -> None:
    """A route costs what its model states; a catalogue that knows better is heard."""
    found = losses(by_catalogue, price_list(stated)) if by_catalogue is not None else []
    if found:
        classes = ", ".join(dict.fromkeys(loss.usage_class for loss in found))
        message = f"By the price catalogue this route is dearer than the model's cost for {classes}."
        fix = "If you pay less there, say so: give the route its own cost. Else raise the model's."
        report.add("RK403", path, message, fix, level="warning")


def _check_doubts(route: Route, known: Known, path: Path, report: Report) -> None:
    fix = "State the cost if the catalogue's does not hold for you."
    if route.model.lower() in known.model.disputed:
        message = f"The price catalogue's sources disagree on what {route.model!r} costs at {known.provider.id}."
        report.add("RK320", path, message, f"{fix} docs/catalogue-report.md has both prices.", level="warning")
    if known.model.merged:
        kinds = " and ".join(kind.replace("_", " ") for kind in known.model.merged)
        message = f"Some tokens of {route.model!r} ({kinds}) cost more than the usage class that they are metered in."
        report.add("RK320", path, message, fix, level="warning")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
