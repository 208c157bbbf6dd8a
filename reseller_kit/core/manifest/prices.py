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
from ..pricing import PricingRule, complete, dearest, derive_retail, derive_wholesale
from .structs import Catalog, Cost, Document, Model, Route, Rule, Tenant, class_prices, is_token_class


class Levels(Struct, frozen=True, kw_only=True):
    """The price lists of one model for one tenant."""

    cost: PriceList
    wholesale: PriceList
    retail: PriceList


PriceBook = Mapping[tuple[str, str], Levels]
"""(tenant slug, public model name) → its price lists."""


class PriceMove(Struct, frozen=True, kw_only=True):
    """A price that changes: decimal texts of wholesale, retail and margin; None where the model was not offered."""

    tenant: str
    model: str
    usage_class: str
    above_input: int
    before: dict[str, str] | None
    after: dict[str, str] | None


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


def model_cost(model: Model) -> PriceList | None:
    """What wholesale is derived from: the model's cost, else the dearest of its routes; None if one is unknown."""
    if model.cost is not None:
        return complete(price_list(model.cost))
    costs = [route_cost(route, model) for route in model.routes]
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


def tenant_levels(document: Document, tenant: Tenant) -> Iterator[tuple[str, Levels]]:
    """Every model that the tenant offers and whose cost is known, with its price lists."""
    rules = pricing_rules(tenant.pricing.rules)
    markup = wholesale_markup(document, tenant)
    for name, model in document.models.items():
        cost = model_cost(model)
        if cost is not None and offers(tenant.catalog, name):
            wholesale = derive_wholesale(cost, markup)
            retail = derive_retail(name, wholesale, tenant.pricing.markup, rules)
            yield name, Levels(cost=cost, wholesale=wholesale, retail=retail)


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
        old_rows, new_rows = _rows(before.get((tenant, model))), _rows(after.get((tenant, model)))
        for usage_class, above in dict.fromkeys([*new_rows, *old_rows]):
            old, new = old_rows.get((usage_class, above)), new_rows.get((usage_class, above))
            if old != new:
                moves.append(
                    PriceMove(
                        tenant=tenant, model=model, usage_class=usage_class, above_input=above, before=old, after=new
                    )
                )
    return moves


def format_price(usage_class: str, pico: int) -> str:
    """USD per million tokens for a token class, else USD per unit."""
    text = format_token_price if is_token_class(usage_class) else format_unit_price
    return f"-{text(-pico)}" if pico < 0 else text(pico)


def _rows(levels: Levels | None) -> dict[tuple[str, int], dict[str, str]]:
    if levels is None:
        return {}
    rows = {}
    for above in (0, *(tier.above_input for tier in levels.retail.tiers)):
        wholesale, retail = levels.wholesale.at(above + 1), levels.retail.at(above + 1)
        for name, price in retail.items():
            rows[name, above] = _row(name, wholesale[name], price)
    return rows


def _row(usage_class: str, wholesale: int, retail: int) -> dict[str, Any]:
    return {
        "wholesale": format_price(usage_class, wholesale),
        "retail": format_price(usage_class, retail),
        "margin": format_price(usage_class, retail - wholesale),
    }
