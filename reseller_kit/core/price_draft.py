"""A reseller's retail prices as they are typed: a draft, and the fields of the configuration that it stands for.

Checks nothing: what is typed is checked where it becomes the tenant's configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from .manifest import Tenant
from .manifest.prices import format_price
from .manifest.structs import Rule, class_prices
from .money import format_markup


class RuleDraft(Struct, frozen=True, kw_only=True):
    """One rule, in texts as they were typed; `prices` by usage class."""

    match: str = ""
    markup: str = ""
    prices: Mapping[str, str] = {}
    allow_loss: bool = False


class Draft(Struct, frozen=True, kw_only=True):
    """Everything that decides on a tenant's retail prices and on what it offers. `aliases`: (branded name, model)."""

    markup: str
    notice_days: str
    allow_loss: bool = False
    rules: tuple[RuleDraft, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()


def draft_of(tenant: Tenant) -> Draft:
    """The draft that says what the tenant's configuration says."""
    pricing, catalog = tenant.pricing, tenant.catalog
    return Draft(
        markup=format_markup(pricing.markup),
        notice_days=str(pricing.notice_days),
        allow_loss=pricing.allow_loss,
        rules=tuple(_rule_draft(rule) for rule in pricing.rules),
        aliases=tuple(sorted(catalog.aliases.items())),
        allow=catalog.allow,
        deny=catalog.deny,
    )


def fields_of(draft: Draft, before: Iterable[str]) -> dict[str, Any]:
    """The fields to set in the tenant's resource; None unsets one. `before`: the names of its aliases until now."""
    days = draft.notice_days.strip()
    fields: dict[str, Any] = {
        "pricing.markup": draft.markup,
        "pricing.allow_loss": draft.allow_loss,
        "pricing.notice_days": int(days) if days.isascii() and days.isdigit() and len(days) < 9 else days,
        "pricing.rules": [_rule_fields(rule) for rule in draft.rules],
        "catalog.allow": list(draft.allow),
        "catalog.deny": list(draft.deny),
    }
    fields |= {f"catalog.aliases.{name}": None for name in before}
    return fields | {f"catalog.aliases.{name}": model for name, model in draft.aliases}


def _rule_draft(rule: Rule) -> RuleDraft:
    return RuleDraft(
        match=rule.match,
        markup="" if rule.markup is None else format_markup(rule.markup),
        prices={name: format_price(name, price) for name, price in class_prices(rule).items()},
        allow_loss=rule.allow_loss,
    )


def _rule_fields(rule: RuleDraft) -> dict[str, Any]:
    fields: dict[str, Any] = {"match": rule.match}
    if rule.markup:
        fields["markup"] = rule.markup
    fields |= {name: price for name, price in rule.prices.items() if price}
    return {**fields, "allow_loss": True} if rule.allow_loss else fields
