"""What each tenant and each of its groups is served by: routes, upstreams of its own, models left to offer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..core.catalog import LaterPrice, OfferedModel, PriceList, PriceVersion, Route, retail_level
from ..core.deadlines import Deadlines
from ..core.manifest.leaves import is_reference
from ..core.route_sets import allowed, own_upstream, owner_of, priced_as, within
from ..core.storefront import CallLimits, Storefront, UpstreamConfig, UpstreamKey
from ..db.snapshot import SnapshotRows
from ..vault import Vault

Routes = Mapping[str, tuple[Route, ...]]
"""Public model name → the routes that serve it."""


def shared_routes(rows: SnapshotRows) -> Routes:
    """The models' own routes, over the operator's upstreams."""
    upstreams = {row["id"]: row["name"] for row in rows.upstreams}
    models = {row["id"]: row["name"] for row in rows.models}
    settings = {row["name"]: row["settings"] for row in rows.models}
    timeouts = _timeouts(rows)
    found: dict[str, tuple[Route, ...]] = {}
    for row in rows.routes:
        if row["upstream_id"] in upstreams and row["model_id"] in models:
            model = models[row["model_id"]]
            route = _route(row["id"], upstreams[row["upstream_id"]], row, rows)
            route = _hurried(route, settings[model].get("routes", ()), timeouts)
            found[model] = (*found.get(model, ()), route)
    return found


def stated_routes(rows: SnapshotRows, prices: Mapping[tuple[int, str, str], PriceVersion]) -> dict[int, Routes]:
    """The routes of tenants' own tables, by tenant. `prices`: by tenant, what for, and level."""
    if not rows.tenant_routes:
        return {}
    found: dict[int, dict[str, tuple[Route, ...]]] = {}
    settings = {row["id"]: row["settings"].get("routing", {}).get("models", {}) for row in rows.tenants}
    timeouts = _timeouts(rows)
    for row in rows.tenant_routes:
        own = found.setdefault(row["tenant_id"], {})
        stated = settings.get(row["tenant_id"], {}).get(row["model"], {}).get("routes", ())
        route = _hurried(_route(-row["id"], row["upstream"], row, rows), stated, timeouts)
        if owner_of(route.upstream) is not None:
            key = priced_as(row["model"], route.upstream, route.upstream_model)
            route = msgspec.structs.replace(route, provider=prices.get((row["tenant_id"], key, "provider")))
        own[row["model"]] = (*own.get(row["model"], ()), route)
    return dict(found)


def routes_for(tenant: Mapping[str, Any], rows: SnapshotRows, shared: Routes, stated: Routes) -> Routes:
    """The routes that serve each model for a tenant: its own table's before the model's, none over other upstreams."""
    names = _allowed(tenant, rows, tenant["settings"].get("routing", {}).get("upstreams"))
    both = {**shared, **stated}
    return both if names is None else {model: within(routes, names) for model, routes in both.items()}


def with_fallbacks_of_one_payer(offered: Mapping[str, OfferedModel]) -> dict[str, OfferedModel]:
    """The models, those over a reseller's own upstreams without fallbacks over the operator's.

    Such a call would be charged at the fee, which is the lower of the two, while the operator pays for it.
    """
    own = {name for name, model in offered.items() if any(owner_of(route.upstream) for route in model.routes)}
    kept = {
        name: msgspec.structs.replace(
            offered[name], fallbacks=tuple(other for other in offered[name].fallbacks if other in own)
        )
        for name in own
    }
    return {**offered, **kept}


def groups_of(
    tenant: Mapping[str, Any],
    storefront: Storefront,
    rows: SnapshotRows,
    prices: Mapping[tuple[int, str, str], PriceVersion],
    later: Callable[[str], Mapping[str, tuple[LaterPrice, ...]]],
) -> dict[str, Storefront]:
    """The storefront as each group of its customers meets it. `later`: what a level's prices will be."""
    found = {}
    for group in tenant["settings"].get("groups", ()):
        names = _allowed(tenant, rows, group.get("upstreams"))
        strategy = group.get("strategy")
        models = {name: _narrowed(offered, names, strategy) for name, offered in storefront.models.items()}
        to_come = storefront.later
        if group.get("markup") is not None:
            level = retail_level(group["id"])
            models = _at_prices(models, tenant["id"], level, prices)
            to_come = later(level)
        limits = storefront.limits
        if "limits" in group:
            limits = limits.for_group(msgspec.convert(group["limits"], CallLimits))
        left = {name: offered for name, offered in models.items() if offered.routes}
        found[group["id"]] = msgspec.structs.replace(storefront, models=left, limits=limits, later=to_come)
    return found


def _at_prices(
    models: Mapping[str, OfferedModel],
    tenant_id: int,
    level: str,
    prices: Mapping[tuple[int, str, str], PriceVersion],
) -> dict[str, OfferedModel]:
    """The models at other retail prices; one that has none is not offered, as where everybody's is missing."""
    priced = ((name, offered, prices.get((tenant_id, offered.model, level))) for name, offered in models.items())
    return {
        name: msgspec.structs.replace(offered, retail=retail) for name, offered, retail in priced if retail is not None
    }


def own_upstreams(rows: SnapshotRows, vault: Vault) -> dict[str, UpstreamConfig]:
    """The resellers' own upstreams, by full name; those of archived tenants serve nobody."""
    slugs = {row["id"]: row["slug"] for row in rows.listed if row["status"] != "archived"}
    return {
        (name := own_upstream(slugs[row["tenant_id"]], row["name"])): UpstreamConfig(
            name=name,
            dialect=row["settings"]["dialect"],
            base_url=row["settings"]["base_url"],
            provider=row["settings"].get("provider", ""),
            api_keys=_keys(name, row["settings"].get("api_keys", ()), rows, vault),
            headers=tuple(headers_of("own_upstream", name, row["settings"], rows, vault)),
            settings=row["settings"],
            tenant_id=row["tenant_id"],
            public_only=not rows.platform.get("private_upstreams", False),
        )
        for row in rows.own_upstreams
        if row["tenant_id"] in slugs
    }


def headers_of(
    kind: str, name: str, settings: Mapping[str, Any], rows: SnapshotRows, vault: Vault
) -> Iterable[tuple[str, str]]:
    """The extra headers of an upstream; one that refers to a secret is opened, or left out when it is not stored."""
    for header, value in (settings.get("headers") or {}).items():
        if not is_reference(value):
            yield header, value
            continue
        secret = f"{kind}:{name}:header:{header}"
        if secret in rows.secrets:
            yield header, vault.open(secret, *rows.secrets[secret])


def _keys(name: str, references: Iterable[str], rows: SnapshotRows, vault: Vault) -> tuple[UpstreamKey, ...]:
    secrets = [f"own_upstream:{name}:key:{position}" for position, _ in enumerate(references)]
    opened = [vault.open(secret, *rows.secrets[secret]) for secret in secrets if secret in rows.secrets]
    return tuple(UpstreamKey(secret, vault.fingerprint(secret)) for secret in opened)


def _allowed(tenant: Mapping[str, Any], rows: SnapshotRows, names: Iterable[str] | None) -> frozenset[str] | None:
    own = {row["name"] for row in rows.own_upstreams if row["tenant_id"] == tenant["id"]}
    return allowed(names, tenant["slug"], own)


def _narrowed(offered: OfferedModel, names: frozenset[str] | None, strategy: str | None) -> OfferedModel:
    routes = within(offered.routes, names)
    return msgspec.structs.replace(offered, routes=routes, strategy=strategy or offered.strategy)


def _route(route_id: int, upstream: str, row: Mapping[str, Any], rows: SnapshotRows) -> Route:
    version = row["cost_version"]
    return Route(
        id=route_id,
        upstream=upstream,
        upstream_model=row["upstream_model"],
        priority=row["priority"],
        weight=row["weight"],
        cost=PriceVersion(id=version, level="cost", price_list=msgspec.convert(rows.cost_versions[version], PriceList)),
    )


def _timeouts(rows: SnapshotRows) -> dict[str, Mapping[str, Any]]:
    """What each upstream says of how long to wait for it, by its full name."""
    slugs = {row["id"]: row["slug"] for row in rows.listed}
    found = {row["name"]: row["settings"].get("timeouts") or {} for row in rows.upstreams}
    for row in rows.own_upstreams:
        if row["tenant_id"] in slugs:
            name = own_upstream(slugs[row["tenant_id"]], row["name"])
            found[name] = row["settings"].get("timeouts") or {}
    return found


def _hurried(route: Route, stated: Iterable[Mapping[str, Any]], timeouts: Mapping[str, Mapping[str, Any]]) -> Route:
    """The route with deadlines of its own where it states some; what it leaves out is as its upstream says."""
    for each in stated:
        # A tenant's own upstreams go by their short names in its table.
        named = each["upstream"] == route.upstream.rpartition("/")[2]
        if named and each["model"] == route.upstream_model and each.get("timeouts"):
            both = {**timeouts.get(route.upstream, {}), **each["timeouts"]}
            return msgspec.structs.replace(route, deadlines=msgspec.convert(both, Deadlines))
    return route
