"""Writes a decision within the caller's transaction: resources, prices, secrets, and the record of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.catalog import DEFAULT_CONTEXT, DEFAULT_MAX_OUTPUT, PriceList
from ...core.errors import Conflict
from ...core.manifest import CostSource, flat, model_cost, nested, route_cost
from ...core.merge import Change, pending
from ...core.pricing import complete
from ...core.times import format_time
from ...db import (
    accounts,
    audit_log,
    offboarding,
    provisioning,
    revisions,
    scheduled_prices,
    secrets,
    tenant_routes,
    tenants,
    upstream_keys,
)
from ...db.engine import now_us
from ...db.operator_manifest import ManifestRows
from ...db.tenant_routes import TenantRouteRow
from ...db.tenants import Connection
from ...vault import Vault
from ..platform import ensure_platform
from .decide import Decision
from .secrets import SecretField, secret_fields
from .state import (
    TENANT_COLUMNS,
    platform_settings,
    price_list,
    route_key,
    stored_base,
    tenant_route_costs,
    tenant_settings,
    upstream_settings,
)
from .timeline import Begun, Publication


class _Target(Struct, frozen=True):
    """Where to write, what is there, and the ids of what is made on the way."""

    connection: Connection
    rows: ManifestRows
    decision: Decision
    tenant_ids: dict[str, int]
    upstream_ids: dict[str, int]


async def write_decision(
    connection: Connection, rows: ManifestRows, decision: Decision, vault: Vault, actor: str
) -> None:
    """Carry out the plan of a file and remember it. The caller's transaction makes it all or nothing."""
    target = await _write_resources(connection, rows, decision, vault)
    await _write_models(target, _touched(decision))
    await _publish_and_record(target, actor, "apply")
    await revisions.bump(connection, "config")
    await provisioning.add_applied(connection, stored_base(decision.file))


async def write_edit(
    connection: Connection, rows: ManifestRows, decision: Decision, vault: Vault, actor: str, *, tenant_slug: str
) -> None:
    """Carry out a change of one tenant that was made outside the file: what was applied last stays what it was."""
    target = await _write_resources(connection, rows, decision, vault)
    await _publish_and_record(target, actor, "edit")
    shared = any(kind in _SHARED for kind, _ in _touched(decision))
    await revisions.bump(connection, "config", "" if shared else str(target.tenant_ids[tenant_slug]))


async def _write_resources(connection: Connection, rows: ManifestRows, decision: Decision, vault: Vault) -> _Target:
    target = _Target(
        connection,
        rows,
        decision,
        {row["slug"]: row["id"] for row in rows.tenants},
        {row["name"]: row["id"] for row in rows.upstreams},
    )
    changes = pending(decision.plan.changes)
    await _write_secrets(target, _touched(decision), vault)
    for change in changes:
        if change.kind in {"platform", "wholesale", "upstream", "tenant"}:
            await _write_parent(target, change)
    await ensure_platform(connection)
    for change in changes:
        if change.kind in {"own_upstream", "domain", "package", "owner"}:
            await _write_belonging(target, change)
    return target


_SHARED: Final = frozenset({"platform", "wholesale", "upstream", "model"})
"""Kinds of resources that other tenants' storefronts are built with."""


def _touched(decision: Decision) -> set[tuple[str, str]]:
    return {(change.kind, change.id) for change in pending(decision.plan.changes)}


async def _publish_and_record(target: _Target, actor: str, verb: str) -> None:
    await _write_tenant_routes(target)
    await publish(target.connection, target.tenant_ids, target.decision.publications)
    for change in pending(target.decision.plan.changes):
        await _record(target, change, actor, verb)


async def _write_secrets(target: _Target, touched: set[tuple[str, str]], vault: Vault) -> None:
    decision = target.decision
    for name, plaintext in decision.secrets.items():
        key_id, sealed = vault.seal(name, plaintext)
        stored = secrets.StoredSecret(name, key_id, sealed, decision.fingerprints[name])
        await secrets.put(target.connection, stored)
    for kind, resource_id in touched:
        wanted = {found.name for found in _secret_fields(decision, kind, resource_id)}
        prefix = f"{kind}:{resource_id}:"
        stale = [name for name in target.rows.fingerprints if name.startswith(prefix) and name not in wanted]
        if stale:
            await provisioning.drop_secrets(target.connection, stale)


def _secret_fields(decision: Decision, kind: str, resource_id: str) -> list[SecretField]:
    return list(secret_fields(kind, resource_id, decision.state.get((kind, resource_id), {})))


async def _write_parent(target: _Target, change: Change) -> None:
    if change.kind in {"platform", "wholesale"}:
        await provisioning.put_platform(target.connection, platform_settings(target.decision.state))
    elif change.kind == "upstream" and change.action == "archive":
        await provisioning.withdraw(target.connection, "upstream", change.id)
    elif change.kind == "upstream":
        await _write_upstream(target, change.id)
    else:
        await _write_tenant(target, change.id)


async def _write_upstream(target: _Target, name: str) -> None:
    fields = target.decision.state["upstream", name]
    upstream_id = await provisioning.put_upstream(
        target.connection, name, fields["dialect"], fields["base_url"], upstream_settings(fields)
    )
    target.upstream_ids[name] = upstream_id
    keys = [
        provisioning.KeyRow(
            reference=found.reference,
            secret_name=found.name,
            fingerprint=target.decision.fingerprints[found.name],
        )
        for found in _secret_fields(target.decision, "upstream", name)
        if found.field == "api_keys"
    ]
    await provisioning.put_upstream_keys(target.connection, upstream_id, keys)
    await upstream_keys.forget_strangers(target.connection, name)


async def _write_tenant(target: _Target, slug: str) -> None:
    tenant = next(tenant for tenant in target.decision.document.tenants if tenant.slug == slug)
    values: dict[str, Any] = {name: getattr(tenant, name) for name in TENANT_COLUMNS}
    values["settings"] = tenant_settings(target.decision.state["tenant", slug])
    if slug in target.tenant_ids:
        if tenant.status != "archived" and await offboarding.has_left(target.connection, target.tenant_ids[slug]):
            raise Conflict(
                f"The storefront {slug} has left, so it can't be {tenant.status}.",
                fix=f"Take it out of the file, or take it back: reseller-kit tenant offboard {slug} --undo",
            )
        if tenant.status != "draft":
            values["review_asked_at"] = None
        await provisioning.update_tenant(target.connection, target.tenant_ids[slug], values)
        return
    tenant_id = await tenants.add(target.connection, slug=slug, **values)
    await accounts.create_tenant_accounts(target.connection, tenant_id)
    target.tenant_ids[slug] = tenant_id


async def _write_belonging(target: _Target, change: Change) -> None:
    connection, slug = target.connection, _tenant_of(target, change)
    tenant_id, name = target.tenant_ids[slug], change.id.removeprefix(f"{slug}/")
    fields = target.decision.state.get((change.kind, change.id), {})
    if change.kind == "domain":
        await _write_domain(target, slug, change)
    elif change.kind == "owner":
        await provisioning.put_owner(connection, tenant_id, name)
    elif change.kind == "own_upstream" and change.action == "archive":
        await tenant_routes.withdraw_own_upstream(connection, tenant_id, name)
        await upstream_keys.forget_strangers(connection, change.id)
    elif change.kind == "own_upstream":
        await tenant_routes.put_own_upstream(connection, tenant_id, name, nested(change.kind, fields))
        await upstream_keys.forget_strangers(connection, change.id)
    elif change.action == "archive":
        await provisioning.withdraw_package(connection, tenant_id, name)
    else:
        await provisioning.publish_package(connection, tenant_id, name, {"id": name, **nested("package", fields)})


async def _write_domain(target: _Target, slug: str, change: Change) -> None:
    tenant_id = target.tenant_ids[slug]
    if change.action == "archive":
        await provisioning.detach_domain(target.connection, tenant_id, change.id)
        return
    tenant = next(tenant for tenant in target.decision.document.tenants if tenant.slug == slug)
    domain = next(domain for domain in tenant.domains if domain.host == change.id)
    await provisioning.put_domain(target.connection, tenant_id, domain.host, domain.role, is_primary=domain.primary)


async def _write_models(target: _Target, touched: set[tuple[str, str]]) -> None:
    """Every model that changed, and every one whose cost did."""
    document = target.decision.document
    for name, model in document.models.items():
        cost = model_cost(model)
        if cost is None:
            continue
        origins = {(found.upstream, found.upstream_model): _origin(found) for found in _sources(target, name)}
        version, is_new = await _cost_version(target, None, name, cost, "; ".join(sorted(set(origins.values()))))
        routes = []
        for route in model.routes:
            own = route_cost(route, model) or cost
            route_version, route_is_new = await _cost_version(
                target, None, route_key(name, route), own, origins[route.upstream, route.model]
            )
            is_new = is_new or route_is_new
            routes.append(
                provisioning.RouteRow(
                    upstream_id=target.upstream_ids[route.upstream],
                    upstream_model=route.model,
                    priority=route.priority,
                    weight=route.weight,
                    cost_version=route_version,
                )
            )
        if is_new or ("model", name) in touched:
            model_id = await provisioning.put_model(
                target.connection,
                name,
                model.context or DEFAULT_CONTEXT,
                model.max_output or DEFAULT_MAX_OUTPUT,
                nested("model", target.decision.state["model", name]),
                version,
            )
            await provisioning.put_routes(target.connection, model_id, routes)
    for kind, name in touched:
        if kind == "model" and name not in document.models:
            await provisioning.withdraw(target.connection, "model", name)


async def _write_tenant_routes(target: _Target) -> None:
    """Every route of tenants' own tables, each with what it costs the operator."""
    origins = {
        (found.tenant, found.model, found.upstream, found.upstream_model): _origin(found)
        for found in target.decision.plan.costs
    }
    routes: dict[str, list[TenantRouteRow]] = {tenant.slug: [] for tenant in target.decision.document.tenants}
    for found in tenant_route_costs(target.decision.document):
        route, tenant_id, key = found.route, target.tenant_ids[found.slug], route_key(found.model, found.route)
        origin = origins.get((found.slug, found.model, route.upstream, route.model), "file")
        version, _ = await _cost_version(target, tenant_id, key, found.cost, origin)
        if found.provider is not None:
            await _write_provider(target, tenant_id, key, found.provider)
        routes[found.slug].append(
            TenantRouteRow(
                model=found.model,
                upstream=route.upstream,
                upstream_model=route.model,
                priority=route.priority,
                weight=route.weight,
                cost_version=version,
            )
        )
    for slug, rows in routes.items():
        await tenant_routes.put_tenant_routes(target.connection, target.tenant_ids[slug], rows)


async def _write_provider(target: _Target, tenant_id: int, key: str, prices: PriceList) -> None:
    known = target.rows.prices.get((tenant_id, key, "provider"))
    if known is None or price_list(known[1]) != prices:
        stored = msgspec.to_builtins(prices)
        await provisioning.add_price_version(target.connection, tenant_id, "provider", key, stored, now_us())


async def _cost_version(
    target: _Target, tenant_id: int | None, model: str, cost: PriceList, origin: str
) -> tuple[str, bool]:
    """The version that holds this cost, and whether it had to be made; `origin` is kept with a new one."""
    known = target.rows.prices.get((tenant_id, model, "cost"))
    if known is not None and price_list(known[1]) == complete(cost):
        return known[0], False
    stored = {**msgspec.to_builtins(complete(cost)), "origin": origin}
    return await provisioning.add_cost_version(target.connection, tenant_id, model, stored, now_us()), True


def _sources(target: _Target, model: str) -> list[CostSource]:
    return [found for found in target.decision.plan.costs if found.model == model and found.tenant is None]


def _origin(source: CostSource) -> str:
    return "file" if source.catalogue is None else f"catalogue {source.catalogue}"


async def publish(connection: Connection, tenant_ids: Mapping[str, int], publications: Iterable[Publication]) -> None:
    """Append price versions, in this order."""
    for new in publications:
        await provisioning.add_price_version(
            connection,
            tenant_ids[new.tenant],
            new.level,
            new.model,
            msgspec.to_builtins(new.price_list),
            new.effective_from,
        )


async def write_begun(connection: Connection, begun: Iterable[Begun], now: int) -> None:
    """Make scheduled changes whose moment has come part of their tenants' settings, or note why they were held."""
    found = list(begun)
    for one in found:
        state = "begun" if one.reason is None else "held"
        if one.reason is None:
            await provisioning.update_tenant(connection, one.tenant_id, {"settings": dict(one.settings)})
        await scheduled_prices.end(connection, one.tenant_id, one.change.id, state=state, reason=one.reason, now=now)
        after = {"effective_from": format_time(one.change.effective_from), "reason": one.reason}
        old, new = (flat("tenant", _priced(settings)) for settings in (one.before, one.settings))
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        await audit_log.record(
            connection,
            one.tenant_id,
            "schedule",
            f"price.{state}",
            "price",
            one.change.id,
            before={name: old.get(name) for name in changed} or None,
            after={**after, **{name: new.get(name) for name in changed}},
        )
    for tenant_id in {one.tenant_id for one in found}:
        await revisions.bump(connection, "config", str(tenant_id))


def _priced(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of a tenant's settings a scheduled change may change."""
    return {"pricing": settings.get("pricing", {}), "groups": settings.get("groups", [])}


async def _record(target: _Target, change: Change, actor: str, verb: str) -> None:
    is_tenants = change.kind in {"tenant", "own_upstream", "domain", "package", "owner"}
    await audit_log.record(
        target.connection,
        target.tenant_ids[_tenant_of(target, change)] if is_tenants else None,
        actor,
        f"{verb}.{change.action}",
        change.kind,
        change.id,
        before=_side(change, "old"),
        after=_side(change, "new"),
    )


def _tenant_of(target: _Target, change: Change) -> str:
    """The slug of the tenant that the changed resource is or belongs to, after the change if it goes on."""
    if change.kind != "domain":
        return change.id.partition("/")[0]
    key = (change.kind, change.id)
    return str((target.decision.state.get(key) or target.decision.actual[key])["tenant"])


def _side(change: Change, side: str) -> dict[str, Any]:
    pairs: Iterable[tuple[str, Any]] = change.fields.items()
    return {name: value[side] if isinstance(value, Mapping) else value for name, value in pairs}
