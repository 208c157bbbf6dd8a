"""What must hold between upstreams, routes, route sets and fallbacks. Looks up no host and judges no price."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from ..public_addresses import is_address, is_public
from ..route_sets import allowed, full_name
from ..storefront import NO_GROUP
from ..tenant import is_loopback_host
from ..toml_lines import Path
from .findings import Refusal, Report, check_unique, format_path
from .leaves import check_header
from .prices import offers
from .reader import suggest
from .route_sets import Placed, RouteSet, group_routes, route_set, stated_routes
from .structs import Document, Model, Route, Tenant, Upstream
from .texts import is_private_address

_MOST_NAMED: Final = 5


def check_routes(document: Document, report: Report) -> None:
    """Report upstreams, routes and fallbacks that can't work as they stand."""
    for name, upstream in document.upstreams.items():
        _check_upstream(upstream, ("upstreams", name), report)
    for name, model in document.models.items():
        _check_model(document, model, ("models", name), report)
    _check_cycles(document, report)
    for placed in stated_routes(document):
        _check_placed(document, placed, report)
    for index, tenant in enumerate(document.tenants):
        # What an archived one was served by may be gone by now, and nothing is served by it.
        if tenant.status != "archived":
            _check_tenant(document, tenant, ("tenants", index), report)


def _check_upstream(upstream: Upstream, path: Path, report: Report) -> None:
    url = urlsplit(upstream.base_url)
    host = url.hostname or ""
    if url.scheme == "http" and is_private_address(host) and not is_loopback_host(host):
        report.add(
            "RK315",
            (*path, "base_url"),
            "Keys and prompts travel unencrypted to a private address.",
            "Use https:// unless the network between is yours alone.",
            level="warning",
        )
    if upstream.dialect == "anthropic" and url.path.rstrip("/").endswith("/v1"):
        report.add(
            "RK209",
            (*path, "base_url"),
            "An anthropic base URL is written without /v1.",
            f"Write {upstream.base_url[:-3]!r}.",
        )
    check_unique(upstream.api_keys, lambda i: (*path, "api_keys", i), "RK311", "reference", report)
    for name, value in upstream.headers.items():
        try:
            check_header(name, value)
        except Refusal as refusal:
            report.add(refusal.code, (*path, "headers", name), refusal.message, refusal.fix)


def _check_model(document: Document, model: Model, path: Path, report: Report) -> None:
    for index, route in enumerate(model.routes):
        if route.upstream and route.upstream not in document.upstreams:
            message = f"There is no upstream {route.upstream!r}."
            fix = suggest(route.upstream, document.upstreams) or f"Define it as [upstreams.{route.upstream}]."
            if any(route.upstream in tenant.upstreams for tenant in document.tenants):
                fix = "It is a tenant's own: route to it in that tenant's [tenants.routing.models.…]."
            report.add("RK306", (*path, "routes", index, "upstream"), message, fix)
    _check_list(model.routes, (*path, "routes"), report)
    if model.context and model.max_output and model.max_output > model.context:
        report.add(
            "RK203", (*path, "max_output"), "max_output is larger than context.", "An answer is part of the context."
        )
    for index, name in enumerate(model.fallbacks):
        if name and name not in document.models:
            fix = suggest(name, document.models) or f"Define it as {format_path(('models', name))}."
            report.add("RK322", (*path, "fallbacks", index), f"There is no model {name!r} to fall back to.", fix)
    check_unique(model.fallbacks, lambda i: (*path, "fallbacks", i), "RK311", "fallback", report)


def _check_list(routes: tuple[Route, ...], path: Path, report: Report) -> None:
    """A list of routes as such, whatever their upstreams are."""
    pairs = [f"{route.upstream}/{route.model}" if route.upstream and route.model else "" for route in routes]
    check_unique(pairs, lambda i: (*path, i), "RK311", "route", report)
    if routes and not any(route.weight for route in routes) and not report.is_broken(path):
        report.add("RK330", path, "Every route has weight 0.", "Give at least one of them a weight above 0.")


def _check_cycles(document: Document, report: Report) -> None:
    """A chain of fallbacks that comes back to a model of its own, told once, at the model that stands first."""
    told: set[str] = set()
    for name in document.models:
        chain = _cycle(document.models, name)
        if chain and told.isdisjoint(chain):
            told.update(chain)
            shown = " → ".join((*chain, chain[0]))
            place: Path = ("models", name, "fallbacks", document.models[name].fallbacks.index(chain[1 % len(chain)]))
            report.add("RK323", place, f"The fallbacks go round: {shown}.", "Take one of them out.")


def _cycle(models: Mapping[str, Model], start: str) -> tuple[str, ...]:
    """The shortest chain of fallbacks from a model to itself; nothing where there is none."""
    before: dict[str, str] = {}
    waiting = [start]
    for name in waiting:
        for following in models[name].fallbacks if name in models else ():
            if following == start:
                chain = [name]
                while chain[-1] != start:
                    chain.append(before[chain[-1]])
                return tuple(reversed(chain))
            if following not in before:
                before[following] = name
                waiting.append(following)
    return ()


def _check_placed(document: Document, placed: Placed, report: Report) -> None:
    """One route of a tenant's own table."""
    tenant, name, place = placed.tenant, placed.route.upstream, (*placed.path, "upstream")
    if name and not placed.own and name not in document.upstreams:
        fix = suggest(name, (*tenant.upstreams, *document.upstreams)) or f"Define it as [tenants.upstreams.{name}]."
        report.add("RK306", place, f"There is no upstream {name!r} for tenant {tenant.slug!r}.", fix)
        return
    names = allowed(tenant.routing.upstreams, tenant.slug, tenant.upstreams)
    if name and names is not None and placed.upstream not in names:
        message = f"The upstream {name!r} is not among the upstreams of the tenant's routing."
        report.add("RK326", place, message, "Add it to [tenants.routing] upstreams, or take the route out.")


def _check_tenant(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    for name, upstream in tenant.upstreams.items():
        place = (*path, "upstreams", name)
        _check_upstream(upstream, place, report)
        _check_own_address(document, upstream, place, report)
    _check_named(document, tenant, tenant.routing.upstreams or (), (*path, "routing", "upstreams"), report)
    for name, stated in tenant.routing.models.items():
        place = (*path, "routing", "models", name)
        if name and name not in document.models:
            fix = suggest(name, document.models) or f"Define it as {format_path(('models', name))}."
            report.add("RK324", place, f"There is no model {name!r}.", fix)
        routes = stated.routes or ()
        _check_list(routes, (*place, "routes"), report)
        owned = [route.upstream in tenant.upstreams for route in routes if route.upstream]
        if any(owned) and not all(owned):
            fix = "Keep the one or the other: who pays the provider decides what a call costs."
            report.add("RK325", (*place, "routes"), "Some routes are the operator's and some the tenant's own.", fix)
    _check_groups(document, tenant, path, report)
    _check_unused(tenant, path, report)
    _check_fallback_patterns(document, tenant, path, report)
    if not report.is_broken(("models",)) and not report.is_broken(path):
        _check_unserved(document, tenant, path, report)


def _check_own_address(document: Document, upstream: Upstream, path: Path, report: Report) -> None:
    host = urlsplit(upstream.base_url).hostname or ""
    lies_inside = is_loopback_host(host) or (is_address(host) and not is_public(host))
    if lies_inside and not document.platform.private_upstreams:
        refuse_address(path, report)


def refuse_address(path: Path, report: Report) -> None:
    """An own upstream, at `path`, leads to where only this network can reach."""
    message = "A reseller's own upstream leads to an address that is not on the public internet."
    fix = (
        "Give a public https:// address. On a closed network the operator may set [platform] private_upstreams = true."
    )
    report.add("RK327", (*path, "base_url"), message, fix)


def _check_named(document: Document, tenant: Tenant, names: Iterable[str], path: Path, report: Report) -> None:
    """A list of upstreams in a tenant's table."""
    names = tuple(names)
    known = (*tenant.upstreams, *document.upstreams)
    for index, name in enumerate(names):
        if name and name not in known:
            fix = suggest(name, known) or f"There are: {', '.join(dict.fromkeys(known)) or 'none'}."
            report.add("RK324", (*path, index), f"There is no upstream {name!r}.", fix)
    check_unique(names, lambda i: (*path, i), "RK311", "upstream", report)


def _check_groups(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    check_unique((g.id for g in tenant.groups), lambda i: (*path, "groups", i, "id"), "RK311", "group", report)
    names = allowed(tenant.routing.upstreams, tenant.slug, tenant.upstreams)
    for index, group in enumerate(tenant.groups):
        if group.id == NO_GROUP:
            message = f"{NO_GROUP!r} is what commands call no group."
            report.add("RK331", (*path, "groups", index, "id"), message, "Choose another id.")
        place = (*path, "groups", index, "upstreams")
        _check_named(document, tenant, group.upstreams or (), place, report)
        for number, name in enumerate(group.upstreams or ()):
            if names is not None and full_name(name, tenant.slug, tenant.upstreams) not in names:
                message = f"The group's upstream {name!r} is not among those of the tenant's routing."
                report.add("RK326", (*place, number), message, "Add it to [tenants.routing] upstreams, or take it out.")


def _check_unused(tenant: Tenant, path: Path, report: Report) -> None:
    used = {route.upstream for stated in tenant.routing.models.values() for route in stated.routes or ()}
    for name in tenant.upstreams:
        if name not in used:
            message = f"No route goes over the tenant's own upstream {name!r}."
            fix = "Route to it in [tenants.routing.models.…], or take it out."
            report.add("RK329", (*path, "upstreams", name), message, fix, level="warning")


def _check_fallback_patterns(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    for index, glob in enumerate(tenant.catalog.fallbacks):
        fitting = [name for name in document.models if fnmatch.fnmatchcase(name, glob)]
        if not glob or any(document.models[name].fallbacks for name in fitting):
            continue
        what = "matches no model" if not fitting else "matches no model that has fallbacks"
        fix = "Check it against the names in [models]."
        report.add(
            "RK310", (*path, "catalog", "fallbacks", index), f"The pattern {glob!r} {what}.", fix, level="warning"
        )


def _check_unserved(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    """Models that the tenant's list of upstreams, or a group's, leaves without a route."""
    served = {name: route_set(document, tenant, name) for name in document.models if offers(tenant.catalog, name)}
    _tell_unserved(
        [name for name, found in served.items() if not found.routes], "the tenant", (*path, "routing"), report
    )
    for name, found in served.items():
        if found.own and any(fnmatch.fnmatchcase(name, glob) for glob in tenant.catalog.fallbacks):
            _tell_lost_fallbacks(document.models[name], served, (*path, "routing", "models", name), report)
    for index, group in enumerate(tenant.groups):
        lost = [name for name, found in served.items() if found.routes and not group_routes(tenant, group, found)]
        _tell_unserved(lost, f"the group {group.id!r}", (*path, "groups", index, "upstreams"), report)


def _tell_lost_fallbacks(model: Model, served: Mapping[str, RouteSet], path: Path, report: Report) -> None:
    lost = [name for name in model.fallbacks if name in served and not served[name].own]
    if lost:
        message = f"Calls over the tenant's own upstream do not fall back to the operator's: {', '.join(lost)}."
        fix = "Give these models routes over its own upstream as well, or let the model fall back no more."
        report.add("RK332", path, message, fix, level="warning")


def _tell_unserved(names: list[str], whom: str, path: Path, report: Report) -> None:
    if names:
        shown = ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" * (len(names) > _MOST_NAMED))
        message = f"No route is left for {whom}, so it is not offered these: {shown}."
        fix = "Give them routes over those upstreams, or deny them in [tenants.catalog]."
        report.add("RK328", path, message, fix, level="warning")
