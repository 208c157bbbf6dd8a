"""Retail prices that begin later: what a scheduled change makes of a tenant's pricing, and from when. Knows no clock.

A change without a pattern replaces the tenant's markup and leaves its rules; one with a pattern becomes its first
rule and takes the place of a rule with the same pattern; one of a group replaces that group's own markup. A change that
would sell below wholesale, or below the operator's floor, is held back whole.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..catalog import PriceList
from ..money import format_markup
from ..pricing import derive_wholesale, losses, matching_rule
from .floor import below_floor, floor_of, said_floor
from .prices import Levels, format_price, pricing_rules, tenant_levels
from .reader import write
from .shapes import TableOf
from .structs import Cost, CostTier, Document, Pricing, Rule, Tenant


class ScheduledChange(Struct, frozen=True, kw_only=True):
    """A change of a tenant's retail prices at `effective_from` (µs). `prices` are absolute, in pico-USD per unit.

    `group`: whose own markup changes, alone; then there is neither pattern nor price.
    """

    id: str
    effective_from: int
    match: str | None = None
    markup_ppm: int | None = None
    prices: Mapping[str, int] = {}
    allow_loss: bool = False
    group: str | None = None


class HeldBack(Struct, frozen=True):
    """A change that does not take effect, and why. `waivable`: it would, did it allow losses."""

    change: ScheduledChange
    reason: str
    waivable: bool = True


def with_changes(
    document: Document, slug: str, changes: Iterable[ScheduledChange], at: int
) -> tuple[Document, list[HeldBack]]:
    """The document as it stands once the changes that begin by `at` have begun, and those that were held back."""
    held = []
    for change in sorted(changes, key=lambda change: (change.effective_from, change.id)):
        if change.effective_from > at:
            break
        if change.group is not None and change.group not in own_markups(document, slug):
            held.append(HeldBack(change, f"There is no group {change.group!r} with a markup.", waivable=False))
            continue
        changed = with_change(document, slug, change)
        low = sorted(_too_low(changed, slug) - _too_low(document, slug))
        lost = sorted(_losing(changed, slug) - _losing(document, slug))
        if low:
            held.append(HeldBack(change, _why_too_low(changed, slug, low), waivable=False))
        elif lost:
            held.append(HeldBack(change, f"Retail would lie below wholesale: {_shown(changed, slug, lost)}."))
        else:
            document = changed
    return document, held


def levels_of(document: Document, slug: str) -> dict[str, Levels]:
    """The price lists of every model that the tenant offers; none when it is archived or not there."""
    found = [tenant for tenant in document.tenants if tenant.slug == slug and tenant.status != "archived"]
    return dict(tenant_levels(document, found[0])) if found else {}


def governed(levels: Mapping[str, Levels], pricing: Pricing, change: ScheduledChange) -> list[str]:
    """The models whose retail prices the change decides on, should it begin now."""
    if change.group is not None:
        return [name for name, own in levels.items() if change.group in own.groups]
    after = pricing_rules(folded(pricing, change).rules)
    if change.match is None:
        rules = {name: matching_rule(name, after) for name in levels}
        return [name for name, rule in rules.items() if rule is None or rule.markup_ppm is None]
    return [name for name in levels if fnmatch.fnmatchcase(name, change.match)]


def own_markups(document: Document, slug: str) -> dict[str, int]:
    """The tenant's groups that have a markup of their own, with it."""
    return {group.id: group.markup for group in tenant_of(document, slug).groups if group.markup is not None}


def with_change(document: Document, slug: str, change: ScheduledChange) -> Document:
    """The document once the change has begun, whatever it does."""
    tenant = tenant_of(document, slug)
    if change.group is None:
        return with_pricing(document, slug, folded(tenant.pricing, change))
    groups = tuple(
        msgspec.structs.replace(own, markup=change.markup_ppm, allow_loss=own.allow_loss or change.allow_loss)
        if own.id == change.group
        else own
        for own in tenant.groups
    )
    return _with_tenant(document, msgspec.structs.replace(tenant, groups=groups))


def folded(pricing: Pricing, change: ScheduledChange) -> Pricing:
    """The pricing once the change has begun."""
    if change.match is None:
        markup = pricing.markup if change.markup_ppm is None else change.markup_ppm
        return msgspec.structs.replace(pricing, markup=markup, allow_loss=pricing.allow_loss or change.allow_loss)
    rule = Rule(match=change.match, markup=change.markup_ppm, allow_loss=change.allow_loss, **change.prices)
    return msgspec.structs.replace(pricing, rules=(rule, *(own for own in pricing.rules if own.match != rule.match)))


def folded_settings(settings: Mapping[str, Any], change: ScheduledChange) -> dict[str, Any]:
    """A tenant's stored settings once the change has begun; what the change does not name stays as it is written."""
    if change.group is not None:
        return {**settings, "groups": [_folded_group(own, change) for own in settings.get("groups", ())]}
    pricing = dict(settings.get("pricing", {}))
    if change.match is None:
        if change.markup_ppm is not None:
            pricing["markup"] = format_markup(change.markup_ppm)
        if change.allow_loss:
            pricing["allow_loss"] = True
    else:
        rule = folded(Pricing(), change).rules[0]
        others = [own for own in pricing.get("rules", ()) if own.get("match") != change.match]
        pricing["rules"] = [write(TableOf(Rule), rule), *others]
    return {**settings, "pricing": pricing}


def _folded_group(own: Mapping[str, Any], change: ScheduledChange) -> Mapping[str, Any]:
    if own["id"] != change.group or change.markup_ppm is None:
        return own
    leave = {"allow_loss": True} if change.allow_loss else {}
    return {**own, "markup": format_markup(change.markup_ppm), **leave}


def tenant_of(document: Document, slug: str) -> Tenant:
    """The tenant of this slug. Raises LookupError for one that is not there."""
    for tenant in document.tenants:
        if tenant.slug == slug:
            return tenant
    raise LookupError(slug)


def with_pricing(document: Document, slug: str, pricing: Pricing) -> Document:
    """The document with another pricing of one tenant."""
    return _with_tenant(document, msgspec.structs.replace(tenant_of(document, slug), pricing=pricing))


def _with_tenant(document: Document, changed: Tenant) -> Document:
    tenants = tuple(changed if tenant.slug == changed.slug else tenant for tenant in document.tenants)
    return msgspec.structs.replace(document, tenants=tenants)


def cost_table(prices: PriceList) -> Cost:
    """A price list as the cost of a model."""
    tiers = tuple(CostTier(above_input=tier.above_input, **tier.prices) for tier in prices.tiers)
    return Cost(tiers=tiers, **prices.prices)


_Lost = tuple[str, str, int, str]


def _losing(document: Document, slug: str) -> set[_Lost]:
    """(model, class, tier, group) of every retail price below wholesale that nothing allows; group "": everybody."""
    tenant = tenant_of(document, slug)
    pricing = tenant.pricing
    rules = pricing_rules(pricing.rules)
    found = set()
    for name, levels in levels_of(document, slug).items():
        rule = matching_rule(name, rules)
        if pricing.allow_loss or document.models[name].allow_loss:
            continue
        judged = [] if rule is not None and rule.allow_loss else [("", levels.retail)]
        for group in tenant.groups:
            prices = levels.groups.get(group.id)
            if prices is not None and prices != levels.retail and not group.allow_loss:
                judged.append((group.id, prices))
        found |= {
            (name, loss.usage_class, loss.above_input, group)
            for group, prices in judged
            for loss in losses(levels.spent, prices)
        }
    return found


def _too_low(document: Document, slug: str) -> set[_Lost]:
    """The same of every retail price below the operator's floor."""
    tenant = tenant_of(document, slug)
    return {
        (name, loss.usage_class, loss.above_input, group)
        for name, levels in levels_of(document, slug).items()
        for group, loss in below_floor(document, tenant, name, levels)
    }


def _why_too_low(document: Document, slug: str, low: Sequence[_Lost]) -> str:
    floor = floor_of(document, tenant_of(document, slug)) or 0
    return f"Retail would lie below {said_floor(floor)}: {_shown(document, slug, low, floor)}."


def _shown(document: Document, slug: str, lost: Sequence[_Lost], floor: int = 0) -> str:
    levels = levels_of(document, slug)
    texts = []
    for model, usage_class, above, group in lost[:3]:
        lists = (levels[model].retail_for(group or None), derive_wholesale(levels[model].spent, floor))
        price, low = (format_price(usage_class, level.at(above + 1)[usage_class]) for level in lists)
        whom = f" for the group {group}" if group else ""
        texts.append(f"{model} {usage_class}{f' above {above} tokens' if above else ''}{whom} {price} < {low}")
    return "; ".join(texts) + (f"; and {len(lost) - 3} more" if len(lost) > 3 else "")
