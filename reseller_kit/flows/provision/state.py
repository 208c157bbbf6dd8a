"""The database's rows as resources, and resources as what is stored. Reads and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.catalog import PriceList, retail_level
from ...core.manifest import (
    Document,
    Levels,
    Resources,
    Route,
    Tenant,
    default_of,
    flat,
    model_cost,
    nested,
    offers,
    own_route_cost,
    route_cost,
    route_set,
)
from ...core.pricing import free_of_charge
from ...core.route_sets import own_upstream, owner_of, priced_as
from ...db.operator_manifest import ManifestRows
from ...db.prices import provider_list

TENANT_COLUMNS: Final = ("name", "status", "theme", "timezone")
"""Fields of a tenant that have columns of their own; all others live in its settings."""
_UPSTREAM_COLUMNS: Final = ("dialect", "base_url", "api_keys")


def base_resources(rows: ManifestRows) -> Resources:
    """The file applied last."""
    return {(row["kind"], row["id"]): row["fields"] for row in rows.base}


def stored_base(resources: Resources) -> list[dict[str, Any]]:
    """The form in which an applied file is kept."""
    return [{"kind": kind, "id": name, "fields": fields} for (kind, name), fields in resources.items()]


def actual_resources(rows: ManifestRows) -> Resources:
    """What the database holds now, in the file's own terms."""
    found: Resources = {}
    if rows.platform is not None:
        platform = dict(rows.platform)
        wholesale = platform.pop("wholesale", {})
        found["platform", "platform"] = flat("platform", platform)
        found["wholesale", "wholesale"] = flat("wholesale", wholesale)
    for row in rows.upstreams:
        keys = [key["reference"] for key in rows.upstream_keys if key["upstream_id"] == row["id"]]
        own = {"dialect": row["dialect"], "base_url": row["base_url"], "api_keys": keys}
        found["upstream", row["name"]] = {**own, **flat("upstream", row["settings"])}
    for row in rows.models:
        found["model", row["name"]] = flat("model", row["settings"])
    for row in rows.tenants:
        own = {name: row[name] for name in TENANT_COLUMNS}
        found["tenant", row["slug"]] = {**own, **flat("tenant", row["settings"])}
    _add_belongings(found, rows)
    return found


def without_usual(actual: Resources, *said: Resources) -> Resources:
    """The resources without the fields that are at their default and that none of the files speaks of."""
    found = {}
    for key, fields in actual.items():
        named = {field for file in said for field in file.get(key, {})}
        found[key] = {
            field: value
            for field, value in fields.items()
            if field in named or (value is not None and value != default_of(key[0], field))
        }
    return found


def _add_belongings(found: Resources, rows: ManifestRows) -> None:
    slugs = {row["id"]: row["slug"] for row in rows.tenants}
    for row in rows.owners:
        found["owner", f"{slugs[row['tenant_id']]}/{row['email']}"] = {"role": "owner"}
    for row in rows.domains:
        fields = {"tenant": slugs[row["tenant_id"]], "role": row["role"], "primary": row["is_primary"]}
        found["domain", row["host"]] = fields
    for row in rows.own_upstreams:
        name = own_upstream(slugs[row["tenant_id"]], row["name"])
        found["own_upstream", name] = flat("own_upstream", row["settings"])
    for row in rows.packages:
        terms = {name: value for name, value in row["terms"].items() if name != "id"}
        found["package", f"{slugs[row['tenant_id']]}/{row['code']}"] = flat("package", terms)


def platform_settings(state: Resources) -> dict[str, Any]:
    """What the platform's row holds."""
    wholesale = nested("wholesale", state.get(("wholesale", "wholesale"), {}))
    return {**nested("platform", state["platform", "platform"]), "wholesale": wholesale}


def upstream_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What an upstream's settings hold."""
    return nested("upstream", {name: value for name, value in fields.items() if name not in _UPSTREAM_COLUMNS})


def tenant_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a tenant's settings hold."""
    return nested("tenant", {name: value for name, value in fields.items() if name not in TENANT_COLUMNS})


def published_book(rows: ManifestRows, document: Document) -> dict[tuple[str, str], Levels]:
    """The prices that are in force for what each tenant offers now."""
    ids = {row["slug"]: row["id"] for row in rows.tenants}
    book = {}
    for tenant in document.tenants:
        for model in document.models:
            levels = published_levels(rows, ids[tenant.slug], model, tenant)
            if levels is None or tenant.status == "archived" or not offers(tenant.catalog, model):
                continue
            if route_set(document, tenant, model).routes:
                book[tenant.slug, model] = levels
    return book


def published_levels(rows: ManifestRows, tenant_id: int, model: str, tenant: Tenant) -> Levels | None:
    """The prices of a model that are in force for a tenant and its groups; None where a level is missing."""
    own_cost = rows.prices.get((tenant_id, model, "cost"))
    provider = rows.prices.get((tenant_id, model, "provider"))
    versions = [
        rows.prices.get((tenant_id, model, "retail")),
        rows.prices.get((tenant_id, model, "wholesale")),
        own_cost or rows.prices.get((None, model, "cost")),
    ]
    if None in versions:
        return None
    retail, wholesale, cost = (price_list(version[1]) for version in versions if version is not None)
    return Levels(
        cost=cost,
        wholesale=wholesale,
        retail=retail,
        provider=None if provider is None else provider_list(provider[1]),
        shared_cost=own_cost is None,
        groups={
            group.id: price_list(known[1])
            for group in tenant.groups
            if group.markup is not None
            and (known := rows.prices.get((tenant_id, model, retail_level(group.id)))) is not None
        },
    )


def moved_costs(rows: ManifestRows, document: Document) -> frozenset[tuple[str, str, str]]:
    """Routes (model, upstream, model there) whose cost is another one than what is stored."""
    moved = set()
    for name, model in document.models.items():
        for route in model.routes:
            cost = route_cost(route, model)
            known = rows.prices.get((None, route_key(name, route), "cost"))
            if cost is not None and (known is None or price_list(known[1]) != cost):
                moved.add((name, route.upstream, route.model))
    ids = {row["slug"]: row["id"] for row in rows.tenants}
    for found in tenant_route_costs(document):
        key = route_key(found.model, found.route)
        wanted = [("cost", found.cost), *([("provider", found.provider)] if found.provider is not None else [])]
        for level, prices in wanted:
            known = rows.prices.get((ids.get(found.slug), key, level))
            if known is None or price_list(known[1]) != prices:
                moved.add((found.model, found.route.upstream, found.route.model))
    return frozenset(moved)


class TenantRouteCost(Struct, frozen=True, kw_only=True):
    """What a route of a tenant's own table costs the operator; its upstream is named in full.

    What goes over an upstream of the reseller's own costs nothing: `provider` is what the reseller pays there.
    """

    slug: str
    model: str
    route: Route
    cost: PriceList
    provider: PriceList | None = None


def tenant_route_costs(document: Document) -> Iterator[TenantRouteCost]:
    """Of every route that serves a live tenant out of its own table."""
    for tenant in document.tenants:
        for name, stated in tenant.routing.models.items():
            if stated.routes is None or name not in document.models or tenant.status == "archived":
                continue
            model = document.models[name]
            for route in route_set(document, tenant, name).routes:
                if owner_of(route.upstream) is None:
                    cost, provider = route_cost(route, model) or model_cost(model), None
                else:
                    provider = own_route_cost(route)
                    cost = None if provider is None else free_of_charge(provider)
                if cost is not None:
                    yield TenantRouteCost(slug=tenant.slug, model=name, route=route, cost=cost, provider=provider)


def route_key(model: str, route: Route) -> str:
    """The name under which the cost of a route is kept."""
    return priced_as(model, route.upstream, route.model)


def price_list(stored: Any) -> PriceList:
    """A price list from its stored JSON."""
    return msgspec.convert(stored, PriceList)
