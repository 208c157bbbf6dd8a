"""What must hold between costs, markups and rules, so that no price loses money unseen. Derives nothing itself."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Final

from ..catalog import PriceList, price_of
from ..money import format_markup
from ..price_catalogue import CatalogueOn
from ..pricing import Loss, losses, matching_rule
from ..toml_lines import Path
from .catalogue_checks import why_unpriced
from .findings import Report
from .floor import below_floor, floor_of, said_floor
from .prices import (
    Levels,
    format_price,
    model_cost,
    own_route_cost,
    price_list,
    pricing_rules,
    route_cost,
    served_cost,
    tenant_levels,
    wholesale_markup,
)
from .route_sets import all_upstreams, route_set, stated_routes
from .structs import Cost, Document, Model, Tenant, class_prices

_TOKENS: Final = ("input", "output")
"""Classes that others fall back on."""


def check_prices(document: Document, report: Report, on: CatalogueOn) -> None:
    """Report costs that are missing, patterns without effect, and prices below what they are derived from."""
    for name, model in document.models.items():
        _check_costs(document, name, model, report, on)
    _check_stated_costs(document, report, on)
    for index, tenant in enumerate(document.tenants):
        path = ("tenants", index)
        _check_patterns(document, tenant, path, report)
        if not report.is_broken(("models",)) and not report.is_broken(("wholesale",)) and tenant.status != "archived":
            _check_losses(document, tenant, path, report)


def _check_costs(document: Document, name: str, model: Model, report: Report, on: CatalogueOn) -> None:
    path: Path = ("models", name)
    if report.is_broken(path) and not model.routes:
        return
    if model.cost is not None:
        _check_cost_table(model.cost, (*path, "cost"), report)
    for index, route in enumerate(model.routes):
        place = (*path, "routes", index)
        cost = route_cost(route, model)
        if route.cost is not None:
            _check_cost_table(route.cost, (*place, "cost"), report)
        if cost is None and not report.is_broken((*path, "cost")) and not report.is_broken(place):
            report.add("RK307", place, *why_unpriced(route, document.upstreams, on))
        elif cost is not None and model.cost is not None and not report.is_broken(path):
            _check_dearer_route(losses(cost, price_list(model.cost)), (*place, "cost"), report)
        if route.cost is not None and cost is not None and not report.is_broken(path):
            sold = model_cost(model)
            if sold is not None:
                _check_whole_route(cost, sold, (*place, "cost"), report)


def _check_stated_costs(document: Document, report: Report, on: CatalogueOn) -> None:
    """What routes of tenants' own tables cost: the operator, or the reseller itself."""
    upstreams = all_upstreams(document)
    for placed in stated_routes(document):
        place, model = (*placed.path, "cost"), document.models.get(placed.model)
        if placed.route.cost is not None:
            _check_cost_table(placed.route.cost, place, report)
        if model is None or report.is_broken(placed.path) or report.is_broken(("models",)):
            continue
        served = route_set(document, placed.tenant, placed.model).routes
        same = [r for r in served if (r.upstream, r.model) == (placed.upstream, placed.route.model)]
        if not same:
            continue
        cost = own_route_cost(same[0]) if placed.own else route_cost(same[0], model)
        if cost is None:
            report.add("RK307", placed.path, *why_unpriced(same[0], upstreams, on))
            continue
        if not placed.own and model.cost is not None:
            _check_dearer_route(losses(cost, price_list(model.cost)), place, report)
        sold = model_cost(model) or served_cost(model, served, own=placed.own)
        if sold is not None and placed.route.cost is not None:
            _check_whole_route(cost, sold, place, report)


def _check_cost_table(cost: Cost, path: Path, report: Report) -> None:
    if not class_prices(cost) and not report.is_broken(path):
        report.add("RK405", path, "The cost names no usage class.", 'Give at least one, such as input = "0.25".')
    seen: set[int] = set()
    for index, tier in enumerate(cost.tiers):
        place = (*path, "tiers", index)
        if tier.above_input in seen:
            report.add("RK311", place, f"There is a tier above {tier.above_input} already.", "Give each boundary once.")
        seen.add(tier.above_input)
        for name in class_prices(tier):
            if price_of(class_prices(cost), name) is None:
                report.add(
                    "RK405",
                    (*place, name),
                    f"The tier names {name}, which has no base price.",
                    f"Add {name} to the cost itself.",
                )


def _check_whole_route(cost: PriceList, sold: PriceList, path: Path, report: Report) -> None:
    """A call that comes over the route must come to nothing that the route has no price for."""
    for name in _TOKENS:
        if name in sold.prices and price_of(cost.prices, name) is None:
            report.add(
                "RK405",
                path,
                f"The route's cost names no {name}, which the model has a price for.",
                f"Add {name} to the route's cost, or leave the cost out.",
            )


def _check_dearer_route(found: list[Loss], path: Path, report: Report) -> None:
    if found:
        classes = ", ".join(dict.fromkeys(loss.usage_class for loss in found))
        report.add(
            "RK403",
            path,
            f"This route is dearer than the model's cost for {classes}; calls over it earn less than planned.",
            "Raise the model's cost, or leave it out to use the dearest route.",
            level="warning",
        )


def _check_patterns(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    if not document.models:
        return
    places = [((*path, "pricing", "rules", i, "match"), rule.match) for i, rule in enumerate(tenant.pricing.rules)]
    places += [((*path, "catalog", "allow", i), glob) for i, glob in enumerate(tenant.catalog.allow)]
    for place, glob in places:
        if glob and not any(fnmatch.fnmatchcase(name, glob) for name in document.models):
            report.add(
                "RK310",
                place,
                f"The pattern {glob!r} matches no model.",
                "Check it against the names in [models].",
                level="warning",
            )


def _check_losses(document: Document, tenant: Tenant, path: Path, report: Report) -> None:
    if any(report.is_broken((*path, part)) for part in ("pricing", "catalog", "wholesale", "groups")):
        return
    own_markup = tenant.wholesale.markup is not None
    wholesale_path: Path = (*path, "wholesale", "markup") if own_markup else ("wholesale", "markup")
    below_cost: list[str] = []
    below_wholesale: dict[Path, list[str]] = {}
    too_low: dict[Path, list[str]] = {}
    for name, levels in tenant_levels(document, tenant):
        rule_index = _check_rule_classes(tenant, name, levels, path, report)
        for group, loss in below_floor(document, tenant, name, levels):
            place = _group_place(tenant, group, path) if group else _retail_place(tenant, rule_index, loss, path)
            too_low.setdefault(place, []).append(_describe(name, loss))
        rule_allows = rule_index is not None and tenant.pricing.rules[rule_index].allow_loss
        for place, loss in _group_losses(document, tenant, name, levels, path):
            below_wholesale.setdefault(place, []).append(_describe(name, loss))
        if tenant.pricing.allow_loss or rule_allows or document.models[name].allow_loss:
            continue
        below_cost += [_describe(name, loss) for loss in losses(levels.cost, levels.wholesale)]
        for loss in losses(levels.spent, levels.retail):
            place = _retail_place(tenant, rule_index, loss, path)
            below_wholesale.setdefault(place, []).append(_describe(name, loss))
    if below_cost:
        markup = format_markup(wholesale_markup(document, tenant))
        message = (
            f"With markup {markup}, wholesale for tenant {tenant.slug!r} lies below cost: {_shortened(below_cost)}."
        )
        report.add("RK402", wholesale_path, message, "Raise the markup, or set allow_loss = true on the model.")
    _report_floor(document, tenant, too_low, report)
    for place, texts in below_wholesale.items():
        if place in too_low:
            continue
        message = f"Retail lies below wholesale: {_shortened(texts)}."
        report.add(
            "RK401",
            place,
            message,
            f"Raise it, or set allow_loss = true on the {_lenient(place)}, the tenant's pricing or the model.",
        )


def _report_floor(document: Document, tenant: Tenant, found: dict[Path, list[str]], report: Report) -> None:
    floor = floor_of(document, tenant)
    if floor is None:
        return
    for place, texts in found.items():
        message = f"Retail lies below {said_floor(floor)}: {_shortened(texts)}."
        report.add("RK406", place, message, "Raise it, or lower retail_floor in [tenants.wholesale] or [wholesale].")


def _group_losses(
    document: Document, tenant: Tenant, name: str, levels: Levels, path: Path
) -> Iterator[tuple[Path, Loss]]:
    """Where groups would pay less than the model costs the reseller; a price that everybody pays is judged as such."""
    if tenant.pricing.allow_loss or document.models[name].allow_loss:
        return
    for group in tenant.groups:
        prices = levels.groups.get(group.id)
        if prices is not None and prices != levels.retail and not group.allow_loss:
            for loss in losses(levels.spent, prices):
                yield _group_place(tenant, group.id, path), loss


def _group_place(tenant: Tenant, group_id: str, path: Path) -> Path:
    index = next(index for index, group in enumerate(tenant.groups) if group.id == group_id)
    return (*path, "groups", index, "markup")


def _lenient(place: Path) -> str:
    return "group" if "groups" in place else "rule"


def _check_rule_classes(tenant: Tenant, model: str, levels: Levels, path: Path, report: Report) -> int | None:
    """The index of the rule that prices the model; a class that it names must have a cost."""
    rules = pricing_rules(tenant.pricing.rules)
    rule = matching_rule(model, rules)
    if rule is None:
        return None
    index = rules.index(rule)
    for name in rule.prices:
        if name not in levels.wholesale.prices:
            place = (*path, "pricing", "rules", index, name)
            message = f"The rule sets {name} for {model!r}, whose cost does not name it."
            report.add("RK404", place, message, f"Add {name} to the model's cost, or narrow the pattern.")
    return index


def _retail_place(tenant: Tenant, rule_index: int | None, loss: Loss, path: Path) -> Path:
    if rule_index is None:
        return (*path, "pricing", "markup")
    rule = tenant.pricing.rules[rule_index]
    place = (*path, "pricing", "rules", rule_index)
    if loss.usage_class in class_prices(rule):
        return (*place, loss.usage_class)
    return (*path, "pricing", "markup") if rule.markup is None else (*place, "markup")


def _describe(model: str, loss: Loss) -> str:
    price, base = format_price(loss.usage_class, loss.price), format_price(loss.usage_class, loss.base)
    tier = f" above {loss.above_input} tokens" if loss.above_input else ""
    return f"{model} {loss.usage_class}{tier} {price} < {base}"


def _shortened(texts: list[str]) -> str:
    shown = "; ".join(texts[:3])
    return shown if len(texts) <= 3 else f"{shown}; and {len(texts) - 3} more"
