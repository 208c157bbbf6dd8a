"""Builds the in-process snapshot that requests are served from. Reads the database once, changes nothing."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..core.catalog import LaterPrice, OfferedModel, PriceList, PriceVersion
from ..core.storefront import (
    DEFAULT_RESPONSES_DAYS,
    CallLimits,
    HostEntry,
    Place,
    Snapshot,
    Storefront,
    UpstreamConfig,
    UpstreamKey,
)
from ..core.tenant import PLATFORM_SLUG, DomainRole, is_loopback_host
from ..core.wholesale import wholesale_terms
from ..db.accounts import DRAWN_ON
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.packages import in_order
from ..db.snapshot import SnapshotRows, read_shared, read_tenants
from ..vault import Vault
from .offer import (
    Routes,
    groups_of,
    headers_of,
    own_upstreams,
    routes_for,
    shared_routes,
    stated_routes,
    with_fallbacks_of_one_payer,
)

_Prices = dict[tuple[int, str, str], PriceVersion]


EAGER: Final = 50
"""So many storefronts are all read at once; of more, each is read when it is first asked for."""


class Shared(Struct, frozen=True):
    """What storefronts are built with, as of a revision: rows without any tenant's own, and the models' routes."""

    rows: SnapshotRows
    routes: Routes


async def load(db: Database, vault: Vault, *, wanted: Collection[int] = (), most: int | None = None) -> Snapshot:
    """The snapshot as of now: with all storefronts if they are `most` (EAGER) at most, else with those of `wanted`."""
    now = now_us()
    most = EAGER if most is None else most
    async with db.read(EVERY_TENANT) as connection:
        shared = await read_shared(connection, now)
        known = {row["id"] for row in shared.listed}
        chosen = known if len(known) <= most else known.intersection(wanted)
        platform = {row["id"] for row in shared.listed if row["slug"] == PLATFORM_SLUG}
        rows = await read_tenants(connection, shared, chosen | platform, now)
    # Calls go on meanwhile: with thousands of storefronts this takes tenths of a second.
    return await asyncio.to_thread(build, rows, vault)


async def load_shared(db: Database) -> Shared:
    """What storefronts that are read one by one are built with."""
    async with db.read(EVERY_TENANT) as connection:
        rows = await read_shared(connection, now_us())
    return Shared(rows, shared_routes(rows))


async def load_storefront(db: Database, shared: Shared, tenant_id: int) -> tuple[int, dict[str, HostEntry]]:
    """One tenant's live hosts, and the revision that they were read at."""
    async with db.read(EVERY_TENANT) as connection:
        rows = await read_tenants(connection, shared.rows, (tenant_id,), now_us())
    return rows.revision, _hosts(rows, shared.routes)


def build(rows: SnapshotRows, vault: Vault) -> Snapshot:
    """The snapshot that these rows describe."""
    upstreams = {**_upstreams(rows, vault), **own_upstreams(rows, vault)}
    platform_name = str(rows.platform.get("name", ""))
    platform_hosts = frozenset(rows.platform.get("hosts", ()))
    platform = next((row for row in rows.tenants if row["slug"] == PLATFORM_SLUG), None)
    return Snapshot(
        revision=rows.revision,
        read_at=rows.revision,
        platform_name=platform_name,
        platform_hosts=platform_hosts,
        platform=None if platform is None else _platform(platform, rows),
        public_url=rows.platform.get("public_url"),
        places=_places(rows),
        hosts=_hosts(rows, shared_routes(rows)),
        upstreams=upstreams,
        good_until=rows.next_price_at,
        hidden_words=tuple(sorted(_hidden_words(platform_name, platform_hosts, upstreams.values()))),
    )


def _places(rows: SnapshotRows) -> dict[str, Place]:
    """Where each live host leads, those that the platform gives included."""
    suffix = rows.platform.get("storefront_suffix")
    by_tenant: dict[int, list[tuple[str, DomainRole]]] = {}
    for row in rows.places:
        by_tenant.setdefault(row["tenant_id"], []).append((row["host"], row["role"]))
    found: dict[str, Place] = {}
    for tenant in rows.listed:
        if tenant["slug"] == PLATFORM_SLUG:
            continue
        given: list[tuple[str, DomainRole]] = [(f"{tenant['slug']}.{suffix}", "storefront")] if suffix else []
        for host, role in (*given, *by_tenant.get(tenant["id"], ())):
            found[host] = Place(
                tenant_id=tenant["id"],
                slug=tenant["slug"],
                status=tenant["status"],
                suspended=tenant["suspended_at"] is not None,
                role=role,
            )
    return found


def _hosts(rows: SnapshotRows, shared: Routes) -> dict[str, HostEntry]:
    """What the live hosts of the tenants that were read answer as."""
    prices = _prices(rows)
    stated = stated_routes(rows, prices)
    domains: dict[int, list[dict[str, Any]]] = {}
    for domain in rows.domains:
        domains.setdefault(domain["tenant_id"], []).append(domain)
    later: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows.later_prices:
        later.setdefault((row["tenant_id"], row["level"]), []).append(row)
    suffix = rows.platform.get("storefront_suffix")
    hosts: dict[str, HostEntry] = {}
    for tenant in rows.tenants:
        if tenant["slug"] == PLATFORM_SLUG:
            continue
        own = domains.get(tenant["id"], [])
        routes = routes_for(tenant, rows, shared, stated.get(tenant["id"], {}))
        to_come = partial(_later, tenant["id"], later, prices)
        storefront = _storefront(tenant, own, rows, prices, routes, suffix, later=to_come("retail"))
        groups = groups_of(tenant, storefront, rows, prices, to_come)
        storefront = msgspec.structs.replace(storefront, groups=groups)
        if suffix:
            hosts[f"{tenant['slug']}.{suffix}"] = HostEntry(storefront, "storefront")
        for domain in own:
            hosts[domain["host"]] = HostEntry(storefront, domain["role"], domain["secured_at"] is not None)
    return hosts


def price_list(document: object) -> PriceList:
    """A price list from its stored JSON."""
    return msgspec.convert(document, PriceList)


def _storefront(
    tenant: Mapping[str, Any],
    domains: list[dict[str, Any]],
    rows: SnapshotRows,
    prices: _Prices,
    routes: Routes,
    suffix: str | None,
    *,
    later: Mapping[str, tuple[LaterPrice, ...]],
) -> Storefront:
    settings = tenant["settings"]
    terms = wholesale_terms(settings)
    fallback = f"{tenant['slug']}.{suffix}" if suffix else tenant["slug"]
    primary = _host(domains, "storefront") or fallback
    return Storefront(
        tenant_id=tenant["id"],
        slug=tenant["slug"],
        name=tenant["name"],
        status=tenant["status"],
        suspended=tenant["suspended_at"] is not None,
        theme=tenant["theme"],
        timezone=tenant["timezone"],
        primary_host=primary,
        api_host=_host(domains, "api") or _resolvable(primary, domains),
        reseller_wallet_id=rows.reseller_accounts[tenant["id"], DRAWN_ON[terms.settlement]],
        overdraft=terms.overdraft,
        limits=msgspec.convert(settings.get("limits", {}), CallLimits),
        models=_offer(tenant["id"], settings, rows, prices, routes),
        later=later,
        settings=settings,
        packages=_packages(tenant, rows),
        responses_days=settings.get("retention", {}).get("responses_days", DEFAULT_RESPONSES_DAYS),
    )


def _packages(tenant: Mapping[str, Any], rows: SnapshotRows) -> tuple[dict[str, Any], ...]:
    """The terms of what is offered, in the order of pages."""
    own = {row["code"]: row for row in rows.packages if row["tenant_id"] == tenant["id"]}
    published = {code: row["first"] for code, row in own.items()}
    ordered = in_order(own, published, tenant["settings"].get("package_order", ()))
    return tuple(row["terms"] for row in ordered)


def _platform(tenant: Mapping[str, Any], rows: SnapshotRows) -> Storefront | None:
    """The operator's own pages, under the platform's name and at its first host."""
    hosts = rows.platform.get("hosts", ())
    if not hosts:
        return None
    plain = _storefront(tenant, [], rows, {}, {}, None, later={})
    return msgspec.structs.replace(
        plain, name=str(rows.platform.get("name", "")), primary_host=hosts[0], api_host=hosts[0]
    )


def _host(domains: list[dict[str, Any]], role: DomainRole) -> str | None:
    fitting = [domain for domain in domains if domain["role"] == role]
    fitting.sort(key=lambda domain: (not domain["is_primary"], domain["id"]))
    return fitting[0]["host"] if fitting else None


def _resolvable(primary: str, domains: list[dict[str, Any]]) -> str:
    """The host of base URLs: for a `localhost` name the tenant's loopback literal, if it has one.

    Python and Node do not resolve names below localhost everywhere, and a base URL is there to be pasted.
    """
    if not primary.endswith(".localhost"):
        return primary
    literals = [domain["host"] for domain in domains if is_loopback_host(domain["host"])]
    return next((host for host in literals if not host.endswith("localhost")), primary)


def _offer(
    tenant_id: int,
    settings: Mapping[str, Any],
    rows: SnapshotRows,
    prices: _Prices,
    routes: Routes,
) -> dict[str, OfferedModel]:
    """What the tenant's customers may ask for; a model without a published price or a route is not offered."""
    offered: dict[str, OfferedModel] = {}
    catalog, stated = settings.get("catalog", {}), settings.get("routing", {}).get("models", {})
    allow, deny = catalog.get("allow", ["*"]), catalog.get("deny", [])
    for model in rows.models:
        name = model["name"]
        if (retail := prices.get((tenant_id, name, "retail"))) is None:
            continue
        if (wholesale := prices.get((tenant_id, name, "wholesale"))) is None or not routes.get(name):
            continue
        if not _matches(name, allow) or _matches(name, deny):
            continue
        offered[name] = OfferedModel(
            name=name,
            model=name,
            context=model["context"],
            max_output=model["max_output"],
            retail=retail,
            wholesale=wholesale,
            routes=routes[name],
            strategy=stated.get(name, {}).get("strategy") or model["settings"].get("strategy", "priority"),
            fallbacks=_fallbacks(name, model["settings"], catalog),
            created_at=model["created_at"] // 1_000_000,
        )
    offered = with_fallbacks_of_one_payer(offered)
    for alias, target in catalog.get("aliases", {}).items():
        if target in offered:
            offered[alias] = msgspec.structs.replace(offered[target], name=alias)
    return offered


def _fallbacks(name: str, settings: Mapping[str, Any], catalog: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that may answer for one, where the tenant lets it fall back."""
    allowed = _matches(name, catalog.get("fallbacks", ()))
    return tuple(other for other in settings.get("fallbacks", ()) if other != name) if allowed else ()


def _later(
    tenant_id: int, rows: Mapping[tuple[int, str], Iterable[Mapping[str, Any]]], prices: _Prices, level: str
) -> dict[str, tuple[LaterPrice, ...]]:
    """The tenant's prices of a level to come; of several versions of one moment the last counts."""
    by_moment: dict[tuple[str, int], PriceList] = {}
    for row in rows.get((tenant_id, level), ()):
        by_moment[row["model"], row["effective_from"]] = price_list(row["prices"])
    found: dict[str, tuple[LaterPrice, ...]] = {}
    for (model, moment), later in by_moment.items():
        known = prices.get((tenant_id, model, level))
        before = found[model][-1].price_list if model in found else None if known is None else known.price_list
        if later != before:
            found[model] = (*found.get(model, ()), LaterPrice(moment, later))
    return found


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _prices(rows: SnapshotRows) -> _Prices:
    return {
        (row["tenant_id"], row["model"], row["level"]): PriceVersion(
            id=row["id"], level=row["level"], price_list=price_list(row["prices"])
        )
        for row in rows.price_versions
    }


def _upstreams(rows: SnapshotRows, vault: Vault) -> dict[str, UpstreamConfig]:
    keys: dict[int, list[UpstreamKey]] = {}
    for row in rows.upstream_keys:
        name = row["secret_name"]
        if name in rows.secrets:
            key = UpstreamKey(vault.open(name, *rows.secrets[name]), row["fingerprint"])
            keys.setdefault(row["upstream_id"], []).append(key)
    return {
        row["name"]: UpstreamConfig(
            name=row["name"],
            dialect=row["dialect"],
            base_url=row["base_url"],
            provider=row["settings"].get("provider", ""),
            api_keys=tuple(keys.get(row["id"], ())),
            headers=tuple(headers_of("upstream", row["name"], row["settings"], rows, vault)),
            settings=row["settings"],
        )
        for row in rows.upstreams
    }


def _hidden_words(name: str, hosts: Iterable[str], upstreams: Iterable[UpstreamConfig]) -> set[str]:
    words = {name, *hosts}
    for upstream in upstreams:
        words |= {upstream.name, upstream.provider, urlsplit(upstream.base_url).hostname or ""}
    return {word for word in words if word}


def at_revision(snapshot: Snapshot, revision: int) -> Snapshot:
    """The same snapshot, known to be good up to a later revision."""
    return msgspec.structs.replace(snapshot, revision=revision)
