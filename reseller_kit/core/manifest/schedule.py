"""Retail prices that begin later: what a scheduled change makes of a tenant's pricing, and from when. Knows no clock.

A change without a pattern replaces the tenant's markup and leaves its rules; one with a pattern becomes its first
rule and takes the place of a rule with the same pattern. A change that would sell below wholesale is held back whole.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..catalog import PriceList
from ..money import format_markup
from ..pricing import losses, matching_rule
from .prices import Levels, format_price, pricing_rules, tenant_levels
from .reader import write
from .shapes import TableOf
from .structs import Cost, CostTier, Document, Pricing, Rule, Tenant


class ScheduledChange(Struct, frozen=True, kw_only=True):
    """A change of a tenant's retail prices at `effective_from` (µs). `prices` are absolute, in pico-USD per unit."""

    id: str
    effective_from: int
    match: str | None = None
    markup_ppm: int | None = None
    prices: Mapping[str, int] = {}
    allow_loss: bool = False


class HeldBack(Struct, frozen=True):
    """A change that does not take effect, and why."""

    change: ScheduledChange
    reason: str


def with_changes(
    document: Document, slug: str, changes: Iterable[ScheduledChange], at: int
) -> tuple[Document, list[HeldBack]]:
    """The document as it stands once the changes that begin by `at` have begun, and those that were held back."""
    held = []
    for change in sorted(changes, key=lambda change: (change.effective_from, change.id)):
        if change.effective_from > at:
            break
        changed = with_pricing(document, slug, folded(tenant_of(document, slug).pricing, change))
        lost = sorted(_losing(changed, slug) - _losing(document, slug))
        if lost:
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
    after = pricing_rules(folded(pricing, change).rules)
    if change.match is None:
        rules = {name: matching_rule(name, after) for name in levels}
        return [name for name, rule in rules.items() if rule is None or rule.markup_ppm is None]
    return [name for name in levels if fnmatch.fnmatchcase(name, change.match)]


def folded(pricing: Pricing, change: ScheduledChange) -> Pricing:
    """The pricing once the change has begun."""
    if change.match is None:
        markup = pricing.markup if change.markup_ppm is None else change.markup_ppm
        return msgspec.structs.replace(pricing, markup=markup, allow_loss=pricing.allow_loss or change.allow_loss)
    rule = Rule(match=change.match, markup=change.markup_ppm, allow_loss=change.allow_loss, **change.prices)
    return msgspec.structs.replace(pricing, rules=(rule, *(own for own in pricing.rules if own.match != rule.match)))


def folded_settings(settings: Mapping[str, Any], change: ScheduledChange) -> dict[str, Any]:
    """A tenant's stored settings once the change has begun; what the change does not name stays as it is written."""
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


def tenant_of(document: Document, slug: str) -> Tenant:
    """The tenant of this slug. Raises LookupError for one that is not there."""
    for tenant in document.tenants:
        if tenant.slug == slug:
            return tenant
    raise LookupError(slug)


def with_pricing(document: Document, slug: str, pricing: Pricing) -> Document:
    """The document with another pricing of one tenant."""
    tenants = tuple(
        msgspec.structs.replace(tenant, pricing=pricing) if tenant.slug == slug else tenant
        for tenant in document.tenants
    )
    return msgspec.structs.replace(document, tenants=tenants)


def cost_table(prices: PriceList) -> Cost:
    """A price list as the cost of a model."""
    tiers = tuple(CostTier(above_input=tier.above_input, **tier.prices) for tier in prices.tiers)
    return Cost(tiers=tiers, **prices.prices)


def _losing(document: Document, slug: str) -> set[tuple[str, str, int]]:
    """(model, class, tier) of every retail price below wholesale that nothing allows."""
    pricing = tenant_of(document, slug).pricing
    rules = pricing_rules(pricing.rules)
    found = set()
    for name, levels in levels_of(document, slug).items():
        rule = matching_rule(name, rules)
        if not (pricing.allow_loss or (rule is not None and rule.allow_loss) or document.models[name].allow_loss):
            found |= {(name, loss.usage_class, loss.above_input) for loss in losses(levels.spent, levels.retail)}
    return found


def _shown(document: Document, slug: str, lost: Sequence[tuple[str, str, int]]) -> str:
    levels = levels_of(document, slug)
    texts = []
    for model, usage_class, above in lost[:3]:
        retail, wholesale = (level.at(above + 1) for level in (levels[model].retail, levels[model].spent))
        low, price = (format_price(usage_class, prices[usage_class]) for prices in (wholesale, retail))
        texts.append(f"{model} {usage_class}{f' above {above} tokens' if above else ''} {price} < {low}")
    return "; ".join(texts) + (f"; and {len(lost) - 3} more" if len(lost) > 3 else "")
