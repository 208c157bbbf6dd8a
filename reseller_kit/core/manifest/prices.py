"""Price lists of a manifest at all three levels, and which of them moved. Publishes nothing.

Prices come from the manifest's costs (its own, or those that `defaults` put in) and markups through `core.pricing`; a
model whose cost is unknown has none.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from ..catalog import PriceList, Tier
from ..money import format_token_price, format_unit_price
from ..pricing import (
    PricingRule,
    complete,
    dearest,
    derive_fee,
    derive_group_retail,
    derive_retail,
    derive_wholesale,
    free_of_charge,
)
from .route_sets import RouteSet, route_set
from .structs import Catalog, Cost, Document, Model, Route, Rule, Tenant, class_prices, is_token_class


class Levels(Struct, frozen=True, kw_only=True):
    """The price lists of one model for one tenant.

    `provider`: what the reseller's own upstream charges the reseller; None where calls go over the operator's.
    `shared_cost`: the cost is the model's own, not that of other routes.
    `groups`: retail for each group of customers that has a markup of its own.
    """

    cost: PriceList
    wholesale: PriceList
    retail: PriceList
    provider: PriceList | None = None
    shared_cost: bool = True
    groups: Mapping[str, PriceList] = {}

    def retail_for(self, group_id: str | None) -> PriceList:
        """What a group of customers pays; None: those in none."""
        return self.retail if group_id is None else self.groups.get(group_id, self.retail)

    def spent_at(self, input_tokens: int) -> dict[str, int]:
        """What the reseller pays in all, to the operator and to its own provider, at so many input tokens."""
        wholesale = self.wholesale.at(input_tokens)
        if self.provider is None:
            return wholesale
        provider = self.provider.at(input_tokens)
        return {name: price + provider.get(name, 0) for name, price in wholesale.items()}

    @property
    def spent(self) -> PriceList:
        """The same as a price list: what retail must not lie below."""
        tiers = (Tier(above_input=t.above_input, prices=self.spent_at(t.above_input + 1)) for t in self.wholesale.tiers)
        return PriceList(prices=self.spent_at(0), tiers=tuple(tiers))


PriceBook = Mapping[tuple[str, str], Levels]
"""(tenant slug, public model name) → its price lists."""


class PriceMove(Struct, frozen=True, kw_only=True):
    """A price that changes: decimal texts of wholesale, retail and margin; None where the model was not offered.

    `group`: whose prices these are, where they are not everybody's.
    """

    tenant: str
    model: str
    usage_class: str
    above_input: int
    before: dict[str, str] | None
    after: dict[str, str] | None
    group: str | None = None


def price_list(cost: Cost) -> PriceList:
    """A cost table of the file as a price list."""
    tiers = sorted(cost.tiers, key=lambda tier: tier.above_input)
    return PriceList(
        prices=class_prices(cost),
        tiers=tuple(Tier(above_input=tier.above_input, prices=class_prices(tier)) for tier in tiers),
    )


def route_cost(route: Route, model: Model) -> PriceList | None:
    """What a call over the route costs the operator: its own cost, which may be the catalogue's, else the model's."""
    cost = model.cost if route.cost is None else route.cost
    return None if cost is None else complete(price_list(cost))


def own_route_cost(route: Route) -> PriceList | None:
    """What a call over an own upstream costs the reseller: stated or the catalogue's, never the model's."""
    return None if route.cost is None else complete(price_list(route.cost))


def model_cost(model: Model) -> PriceList | None:
    """What wholesale is derived from: the model's cost, else the dearest of its routes; None if one is unknown."""
    return served_cost(model, model.routes, own=False)


def served_cost(model: Model, routes: tuple[Route, ...], *, own: bool) -> PriceList | None:
    """What prices are derived from where these routes serve the model: for `own` ones what the reseller pays."""
    if own:
        return _dearest([own_route_cost(route) for route in routes])
    if model.cost is not None:
        return complete(price_list(model.cost))
    return _dearest([route_cost(route, model) for route in routes])


def _dearest(costs: list[PriceList | None]) -> PriceList | None:
    known = [cost for cost in costs if cost is not None]
    return dearest(known) if known and len(known) == len(costs) else None


def offers(catalog: Catalog, model: str) -> bool:
    """Whether the tenant offers the public model: allowed by a pattern and held back by none."""
    return any(fnmatch.fnmatchcase(model, glob) for glob in catalog.allow) and not any(
        fnmatch.fnmatchcase(model, glob) for glob in catalog.deny
    )


def pricing_rules(rules: tuple[Rule, ...]) -> tuple[PricingRule, ...]:
    """The rules of the file in the form that the derivation takes."""
    return tuple(
        PricingRule(match=rule.match, markup_ppm=rule.markup, prices=class_prices(rule), allow_loss=rule.allow_loss)
        for rule in rules
    )


def wholesale_markup(document: Document, tenant: Tenant) -> int:
    """The tenant's wholesale markup in parts per million: its own, else the platform's."""
    own = tenant.wholesale.markup
    return document.wholesale.markup if own is None else own


def own_upstream_fee(document: Document, tenant: Tenant) -> int:
    """The operator's share of calls over the tenant's own upstreams, in parts per million of what they cost there."""
    own = tenant.wholesale.own_upstream_fee
    return document.wholesale.own_upstream_fee if own is None else own


def tenant_levels(document: Document, tenant: Tenant) -> Iterator[tuple[str, Levels]]:
    """Every model that the tenant offers, has a route for and whose cost is known, with its price lists."""
    rules = pricing_rules(tenant.pricing.rules)
    for name in document.models:
        if not offers(tenant.catalog, name):
            continue
        served = route_set(document, tenant, name)
        levels = None
        if served.own:
            levels = _own_levels(document, tenant, name, served, rules)
        elif served.routes:
            levels = _levels(document, tenant, name, served, rules)
        if levels is not None:
            yield name, levels


def _levels(
    document: Document, tenant: Tenant, name: str, served: RouteSet, rules: tuple[PricingRule, ...]
) -> Levels | None:
    model = document.models[name]
    cost = served_cost(model, served.routes, own=False)
    if cost is None:
        return None
    wholesale = derive_wholesale(cost, wholesale_markup(document, tenant))
    retail = derive_retail(name, wholesale, tenant.pricing.markup, rules)
    return Levels(
        cost=cost,
        wholesale=wholesale,
        retail=retail,
        shared_cost=cost == model_cost(model),
        groups=_group_retail(tenant, name, wholesale, rules, retail),
    )


def _own_levels(
    document: Document, tenant: Tenant, name: str, served: RouteSet, rules: tuple[PricingRule, ...]
) -> Levels | None:
    """Of a model over the reseller's own upstreams: the operator takes a fee, and retail is on all that is spent."""
    provider = served_cost(document.models[name], served.routes, own=True)
    if provider is None:
        return None
    fee = own_upstream_fee(document, tenant)
    # Provider and fee together, by the one rounding that `fee_on` leaves room for.
    spent = derive_wholesale(provider, fee)
    retail = derive_retail(name, spent, tenant.pricing.markup, rules)
    return Levels(
        cost=free_of_charge(provider),
        wholesale=derive_fee(provider, fee),
        retail=retail,
        provider=provider,
        shared_cost=False,
        groups=_group_retail(tenant, name, spent, rules, retail),
    )


def _group_retail(
    tenant: Tenant, name: str, spent: PriceList, rules: tuple[PricingRule, ...], retail: PriceList
) -> dict[str, PriceList]:
    """What groups with a markup of their own pay for a model."""
    return {
        group.id: derive_group_retail(name, spent, group.markup, rules, retail)
        for group in tenant.groups
        if group.markup is not None
    }


def price_book(document: Document) -> dict[tuple[str, str], Levels]:
    """All prices of a manifest; archived tenants have none."""
    return {
        (tenant.slug, name): levels
        for tenant in document.tenants
        if tenant.status != "archived"
        for name, levels in tenant_levels(document, tenant)
    }


def price_moves(before: PriceBook, after: PriceBook) -> list[PriceMove]:
    """Each class and tier whose wholesale, retail or margin differs, ordered by tenant, model and class."""
    moves = []
    for tenant, model in sorted({*before, *after}):
        old_levels, new_levels = before.get((tenant, model)), after.get((tenant, model))
        for group in (None, *sorted({*_groups(old_levels), *_groups(new_levels)})):
            old_rows, new_rows = _rows(old_levels, group), _rows(new_levels, group)
            for usage_class, above in dict.fromkeys([*new_rows, *old_rows]):
                old, new = old_rows.get((usage_class, above)), new_rows.get((usage_class, above))
                if old != new:
                    moves.append(
                        PriceMove(
                            tenant=tenant,
                            model=model,
                            usage_class=usage_class,
                            above_input=above,
                            before=old,
                            after=new,
                            group=group,
                        )
                    )
    return moves


def format_price(usage_class: str, pico: int) -> str:
    """USD per million tokens for a token class, else USD per unit."""
    text = format_token_price if is_token_class(usage_class) else format_unit_price
    return f"-{text(-pico)}" if pico < 0 else text(pico)


def _groups(levels: Levels | None) -> Iterator[str]:
    return iter(() if levels is None else levels.groups)


def _rows(levels: Levels | None, group: str | None) -> dict[tuple[str, int], dict[str, str]]:
    """What a group pays, class by class; one that pays what everybody pays is seen to do so."""
    if levels is None:
        return {}
    rows, prices = {}, levels.retail_for(group)
    for above in (0, *(tier.above_input for tier in prices.tiers)):
        wholesale, retail, spent = (
            levels.wholesale.at(above + 1),
            prices.at(above + 1),
            levels.spent_at(above + 1),
        )
        for name, price in retail.items():
            rows[name, above] = _row(name, wholesale[name], price, spent[name])
    return rows


def _row(usage_class: str, wholesale: int, retail: int, spent: int) -> dict[str, Any]:
    return {
        "wholesale": format_price(usage_class, wholesale),
        "retail": format_price(usage_class, retail),
        "margin": format_price(usage_class, retail - spent),
    }
