"""Recomputes prices and charges from a tenants.toml, in exact fractions. Imports nothing of the product.

A second opinion is worth having only if it shares no code: docs/money.md is all that this module and the product
have in common. Prices here are Fractions of USD per million tokens, amounts Fractions of USD.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Final

CLASSES: Final = ("input", "cached_input", "output")
_FALLBACK: Final = {"cached_input": "input"}
_MILLION: Final = 1_000_000
_NANO: Final = 1_000_000_000


class CannotTell(ValueError):
    """The file does not say enough for this module: it knows no catalogue of prices."""


@dataclass(frozen=True)
class Usage:
    """Token counts of one call by price class; `output` includes reasoning."""

    input: int
    cached_input: int
    output: int

    def quantities(self) -> dict[str, int]:
        """Class → tokens."""
        return {"input": self.input, "cached_input": self.cached_input, "output": self.output}

    @property
    def prompt(self) -> int:
        """All input tokens, cached or not: what a long-context tier is judged by."""
        return self.input + self.cached_input


@dataclass(frozen=True)
class Amounts:
    """What one call costs at the three levels, in USD."""

    retail: Fraction
    wholesale: Fraction
    cost: Fraction


@dataclass(frozen=True)
class Oracle:
    """The prices that a parsed tenants.toml leads to."""

    document: Mapping[str, Any]

    def tenant(self, slug: str) -> Mapping[str, Any]:
        """The tenant's table."""
        tenants: Iterable[Mapping[str, Any]] = self.document["tenants"]
        return next(tenant for tenant in tenants if tenant["slug"] == slug)

    def public_model(self, slug: str, name: str) -> str:
        """The model behind a name that the tenant's customers use: an alias, or the model itself."""
        aliases: Mapping[str, str] = self.tenant(slug).get("catalog", {}).get("aliases", {})
        return aliases.get(name, name)

    def cost(self, model: str, usage_class: str, prompt: int) -> Fraction:
        """What wholesale is derived from: the model's own cost, else the dearest among its routes."""
        table = self._model(model)
        if "cost" in table:
            return _listed(table["cost"], usage_class, prompt)
        return max(self._route_cost(model, route, usage_class, prompt) for route in table["routes"])

    def wholesale(self, slug: str, model: str, usage_class: str, prompt: int) -> Fraction:
        """The reseller's price: cost × (1 + markup), rounded half-up to a millionth of a dollar per million tokens."""
        own = self.tenant(slug).get("wholesale", {}).get("markup")
        markup = own if own is not None else self.document.get("wholesale", {}).get("markup", "0%")
        return _marked_up(self.cost(model, usage_class, prompt), markup)

    def retail(self, slug: str, model: str, usage_class: str, prompt: int) -> Fraction:
        """The customer's price: the first fitting rule's own, else the rounded wholesale price × (1 + markup)."""
        pricing = self.tenant(slug).get("pricing", {})
        rules: Iterable[Mapping[str, Any]] = pricing.get("rules", ())
        rule = next((rule for rule in rules if fnmatchcase(model, rule["match"])), {})
        if usage_class in rule:
            return Fraction(rule[usage_class])
        markup = rule.get("markup", pricing.get("markup", "0%"))
        return _marked_up(self.wholesale(slug, model, usage_class, prompt), markup)

    def amounts(self, slug: str, model: str, upstream: str, upstream_model: str, usage: Usage) -> Amounts:
        """The three charges of a call that a route served, each rounded up once to a billionth of a dollar."""
        route = self._route(model, upstream, upstream_model)
        prompt = usage.prompt
        return Amounts(
            retail=_charge(usage, {name: self.retail(slug, model, name, prompt) for name in CLASSES}),
            wholesale=_charge(usage, {name: self.wholesale(slug, model, name, prompt) for name in CLASSES}),
            cost=_charge(usage, {name: self._route_cost(model, route, name, prompt) for name in CLASSES}),
        )

    def _model(self, model: str) -> Mapping[str, Any]:
        table: Mapping[str, Any] = self.document["models"][model]
        return table

    def _route(self, model: str, upstream: str, upstream_model: str) -> Mapping[str, Any]:
        routes: Iterable[Mapping[str, Any]] = self._model(model)["routes"]
        for route in routes:
            if (route["upstream"], route["model"]) == (upstream, upstream_model):
                return route
        raise CannotTell(f"{model} has no route to {upstream_model} at {upstream}")

    def _route_cost(self, model: str, route: Mapping[str, Any], usage_class: str, prompt: int) -> Fraction:
        """What the operator pays for a call over the route: the route's own price, else the model's."""
        table = route.get("cost") or self._model(model).get("cost")
        if table is None:
            raise CannotTell(f"{model}: neither the model nor its route to {route['upstream']} names a cost")
        return _listed(table, usage_class, prompt)


def _listed(table: Mapping[str, Any], usage_class: str, prompt: int) -> Fraction:
    """The price of a class in a cost table; a class that is not listed costs what its fallback does."""
    reached = [tier for tier in table.get("tiers", ()) if prompt > tier["above_input"]]
    by_reach = sorted(reached, key=lambda tier: int(tier["above_input"]), reverse=True)
    for name in (usage_class, _FALLBACK.get(usage_class)):
        for prices in (*by_reach[:1], table):
            if name in prices:
                return Fraction(prices[name])
    raise CannotTell(f"no price for {usage_class}")


def _marked_up(price: Fraction, markup: str) -> Fraction:
    exact = price * (1 + Fraction(markup.rstrip("%")) / 100)
    return Fraction(math.floor(exact * _MILLION + Fraction(1, 2)), _MILLION)


def _charge(usage: Usage, prices: Mapping[str, Fraction]) -> Fraction:
    exact = sum((quantity * prices[name] for name, quantity in usage.quantities().items()), Fraction(0)) / _MILLION
    return Fraction(math.ceil(exact * _NANO), _NANO)
