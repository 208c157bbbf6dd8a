"""Which price versions are to be appended, now and at later moments, so that published prices say what is decided.

A version is never changed. What was published for a later moment and is no longer right is overtaken by a version of
the same moment that was made after it. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ...core.catalog import PriceList, group_of_level, retail_level
from ...core.manifest import Document, Levels, Model, PriceBook, Report, Route, document_of, price_book
from ...core.manifest.route_sets import stated_routes, with_tenant_routes
from ...core.manifest.schedule import (
    HeldBack,
    ScheduledChange,
    cost_table,
    folded_settings,
    levels_of,
    with_changes,
)
from ...db.operator_manifest import ManifestRows
from ...db.scheduled_prices import change_of
from .state import actual_resources, price_list, route_key

_LEVELS: Final = ("cost", "provider", "wholesale", "retail")
_UNUSUAL: Final = frozenset({"cost", "provider"})
"""Levels that a tenant has versions of once its routes are other than the model's."""

Changes = Mapping[str, tuple[ScheduledChange, ...]]
"""Tenant's slug → its scheduled changes that have not begun."""


class Publication(Struct, frozen=True, kw_only=True):
    """A price version to append."""

    tenant: str
    model: str
    level: str
    price_list: PriceList
    effective_from: int


class Begun(Struct, frozen=True, kw_only=True):
    """What became of a scheduled change whose moment has come. `reason` is given when it was held back."""

    tenant_id: int
    slug: str
    change: ScheduledChange
    reason: str | None
    settings: Mapping[str, Any]
    """The tenant's settings with this change and those before it."""
    before: Mapping[str, Any]
    """The same without this change."""


def begin(rows: ManifestRows, now: int) -> tuple[ManifestRows, list[Begun]]:
    """The rows once every scheduled change whose moment has come is part of its tenant's settings."""
    if not any(row["effective_from"] <= now for row in rows.scheduled):
        return rows, []
    document = stored_document(rows)
    found: list[Begun] = []
    tenants = []
    for row in rows.tenants:
        due = [c for c in changes_of(rows).get(row["slug"], ()) if c.effective_from <= now]
        found += _begin(row, due, document)
        settings = [begun.settings for begun in found if begun.tenant_id == row["id"]]
        tenants.append({**row, "settings": settings[-1]} if settings else row)
    scheduled = [row for row in rows.scheduled if row["effective_from"] > now]
    return msgspec.structs.replace(rows, tenants=tenants, scheduled=scheduled), found


def _begin(row: Mapping[str, Any], due: Iterable[ScheduledChange], document: Document) -> Iterator[Begun]:
    settings: Mapping[str, Any] = row["settings"]
    for change in due:
        document, held = with_changes(document, row["slug"], [change], change.effective_from)
        before = settings
        if not held:
            settings = folded_settings(settings, change)
        yield Begun(
            tenant_id=row["id"],
            slug=row["slug"],
            change=change,
            reason=held[0].reason if held else None,
            settings=settings,
            before=before,
        )


def stored_document(rows: ManifestRows) -> Document:
    """What the database holds, with the costs in force: only apply takes others from the file or the catalogue."""
    return with_costs_in_force(rows, document_of(actual_resources(rows), Report("", {})))


def with_costs_in_force(rows: ManifestRows, document: Document) -> Document:
    """The document with the costs that are stored, of models and of tenants' own routes."""
    models = {name: _with_cost_in_force(rows, name, model) for name, model in document.models.items()}
    document = msgspec.structs.replace(document, models=models)
    return with_tenant_routes(document, _stored_route_costs(rows, document))


def _with_cost_in_force(rows: ManifestRows, name: str, model: Model) -> Model:
    """The model with the cost that is published; its routes keep theirs where tenants are kept to some of them."""
    known = rows.prices.get((None, name, "cost"))
    if known is None:
        return model
    costs = [rows.prices.get((None, route_key(name, route), "cost")) for route in model.routes]
    if model.cost is not None or not costs or None in costs:
        return msgspec.structs.replace(model, cost=cost_table(price_list(known[1])))
    routes = tuple(
        msgspec.structs.replace(route, cost=cost_table(price_list(cost[1])))
        for route, cost in zip(model.routes, costs, strict=True)
        if cost is not None
    )
    return msgspec.structs.replace(model, routes=routes)


def _stored_route_costs(rows: ManifestRows, document: Document) -> dict[tuple[str, str, int], Route]:
    """The routes of tenants' own tables with the costs in force: of an own upstream, what it charges the reseller."""
    ids = {row["slug"]: row["id"] for row in rows.tenants}
    found = {}
    for placed in stated_routes(document):
        tenant_id = ids.get(placed.tenant.slug)
        full = msgspec.structs.replace(placed.route, upstream=placed.upstream)
        known = rows.prices.get((tenant_id, route_key(placed.model, full), "provider" if placed.own else "cost"))
        if known is not None:
            cost = cost_table(price_list(known[1]))
            found[placed.tenant.slug, placed.model, int(placed.path[-1])] = msgspec.structs.replace(
                placed.route, cost=cost
            )
    return found


def changes_of(rows: ManifestRows) -> dict[str, tuple[ScheduledChange, ...]]:
    """The scheduled changes that have not begun, by tenant."""
    slugs = {row["id"]: row["slug"] for row in rows.tenants}
    found: dict[str, tuple[ScheduledChange, ...]] = {}
    for row in rows.scheduled:
        slug = slugs[row["tenant_id"]]
        found[slug] = (*found.get(slug, ()), change_of(row))
    return found


def books(document: Document, changes: Changes, now: int) -> list[tuple[int, PriceBook]]:
    """The prices from `now` on and from each later moment at which any of them is to change, in order."""
    base = price_book(document)
    moments = sorted({c.effective_from for own in changes.values() for c in own if c.effective_from > now})
    found: list[tuple[int, PriceBook]] = [(now, base)]
    for moment in moments:
        book = dict(base)
        for slug, own in changes.items():
            if any(tenant.slug == slug for tenant in document.tenants):
                then, _ = with_changes(document, slug, own, moment)
                book |= {(slug, name): levels for name, levels in levels_of(then, slug).items()}
        found.append((moment, book))
    return found


def held_back(document: Document, changes: Changes) -> Iterator[tuple[str, HeldBack]]:
    """The changes that would not take effect as things stand, by tenant."""
    known = {tenant.slug for tenant in document.tenants}
    for slug, own in changes.items():
        if slug in known and own:
            for held in with_changes(document, slug, own, max(change.effective_from for change in own))[1]:
                yield slug, held


def publications(rows: ManifestRows, timeline: list[tuple[int, PriceBook]]) -> list[Publication]:
    """The versions to append, so that at every moment what is published is what the timeline says."""
    ids = {row["slug"]: row["id"] for row in rows.tenants}
    stored: dict[tuple[int, str, str], list[tuple[int, PriceList]]] = {}
    for row in rows.later:
        if row["tenant_id"] is not None:
            key = (row["tenant_id"], row["model"], row["level"])
            stored.setdefault(key, []).append((row["effective_from"], price_list(row["prices"])))
    now, present = timeline[0]
    found: list[Publication] = []
    for slug, model in present:
        tenant_id = ids.get(slug)
        for level in (*_LEVELS, *map(retail_level, present[slug, model].groups)):
            wanted = [(moment, _list(book[slug, model], level)) for moment, book in timeline if (slug, model) in book]
            known = rows.prices.get((tenant_id, model, level))
            if known is None and level in _UNUSUAL and _is_usual(present[slug, model], level):
                continue
            in_force = None if known is None else price_list(known[1])
            later = [] if tenant_id is None else stored.get((tenant_id, model, level), [])
            found += [
                Publication(tenant=slug, model=model, level=level, price_list=prices, effective_from=moment)
                for moment, prices in missing(in_force, later, wanted, now)
            ]
    return sorted(found, key=lambda publication: publication.effective_from)


def missing(
    in_force: PriceList | None,
    later: Iterable[tuple[int, PriceList]],
    wanted: Iterable[tuple[int, PriceList]],
    now: int,
) -> list[tuple[int, PriceList]]:
    """What to append to one list's versions: `later` are those behind `now`, `wanted` what is to hold from when.

    Of several versions of one moment the last counts.
    """
    published, desired = dict(later), dict(wanted)
    found = []
    known, right = in_force, desired[now]
    for moment in sorted({now, *published, *desired}):
        known = published.get(moment, known)
        right = desired.get(moment, right)
        if known != right:
            found.append((moment, right))
            known = right
    return found


def _is_usual(levels: Levels, level: str) -> bool:
    """Whether the level says nothing that the operator's own does not."""
    return levels.shared_cost if level == "cost" else levels.provider is None


def _list(levels: Levels, level: str) -> PriceList:
    if level == "provider":
        return levels.provider or PriceList(prices={})
    group = group_of_level(level)
    if group is not None:
        return levels.retail_for(group)
    lists = {"cost": levels.cost, "wholesale": levels.wholesale, "retail": levels.retail}
    return lists[level]
