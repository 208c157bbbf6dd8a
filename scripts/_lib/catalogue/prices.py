"""From the first source's prices to price lists of integers. Rounds nothing: what is not whole is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from msgspec import Struct

from reseller_kit.core.catalog import USAGE_CLASSES, Tier
from reseller_kit.core.money import MAX_PRICE_PICO, MAX_TOKEN_PRICE_PICO
from reseller_kit.core.price_catalogue import DatedPrices

from .fetch import SourceFault
from .source import Node, checked_price

_PICO: Final = 10**12
_MILLION: Final = 10**6

CLASSES: Final[Mapping[str, tuple[str, int]]] = {
    "input_mtok": ("input", _MILLION),
    "cache_read_mtok": ("cached_input", _MILLION),
    "cache_write_mtok": ("cache_write", _MILLION),
    "cache_write_5m_mtok": ("cache_write", _MILLION),
    "cache_write_1h_mtok": ("cache_write_1h", _MILLION),
    "output_mtok": ("output", _MILLION),
    "input_audio_mtok": ("input_audio", _MILLION),
    "output_audio_mtok": ("output_audio", _MILLION),
    "input_image_mtok": ("input_image", _MILLION),
    "output_image_mtok": ("output_image", _MILLION),
    "audio_hours": ("seconds", 3600),
    "input_audio_hours": ("seconds", 3600),
    "input_mchars": ("characters", _MILLION),
    "requests_kcount": ("request", 1000),
    "web_searches_kcount": ("tool_call", 1000),
    "storage_searches_kcount": ("tool_call", 1000),
}
"""The source's key → usage class, and how many units its price is for. Of two keys for one class the dearer counts."""

MERGED: Final[Mapping[str, str]] = {
    "cache_audio_read_mtok": "cached_input",
    "cache_image_read_mtok": "cached_input",
    "input_video_mtok": "input",
    "output_video_mtok": "output",
    "output_reasoning_mtok": "output",
    "output_citation_mtok": "output",
}
"""Kinds of tokens that are metered in a class together with text. Where they cost more than the class, it is noted."""

_AUDIBLE: Final = frozenset({"cache_audio_read_mtok", "cache_image_read_mtok"})
"""Dearer kinds that a model may have and still be priced; reasoning, citations and video are in every answer."""


class Unpriceable(Exception):
    """A price list that can't be expressed; the message says why."""


class Merge(Struct, frozen=True):
    """A price list on a day, and the dearer kinds that its classes hold."""

    prices: DatedPrices
    merged: tuple[str, ...]


def whole_pico(usd: Decimal, units: int) -> int:
    """USD for so many units to pico-USD a unit. Raises Unpriceable where that is not a whole number."""
    exact = Fraction(checked_price(usd)) * _PICO / units
    if exact.denominator != 1:
        raise Unpriceable(f"{usd} USD for {units} units is no whole number of pico-USD a unit")
    return int(exact)


def dated_prices(prices: Any) -> list[Merge]:
    """A model's price lists by the day from which they hold. Raises Unpriceable.

    Of the source's lists the last that applies counts. Where prices depend on the time of day, the dearest of the day
    counts, class by class: a price list here has no clock.
    """
    conditional = prices if isinstance(prices, list) else [Node("ConditionalPrice", {"prices": prices})]
    if not conditional:
        raise Unpriceable("the source names no price")
    days = sorted({"", *(day for price in conditional if (day := _day(price)))})
    merges: list[Merge] = []
    for day in days:
        found = _on(conditional, day)
        if (
            not merges
            or merges[-1].prices.prices != found.prices.prices
            or merges[-1].prices.tiers != found.prices.tiers
        ):
            merges.append(found)
    return merges


def service_prices(model: Node, keys: Mapping[str, str]) -> list[Merge]:
    """Price lists of calls of one kind, such as {"processing": "batch"}; none where the source has no such kind."""
    variants = [
        variant
        for variant in model.get("price_variants", [])
        if variant.get("prices").fields and dict(variant.get("when")) == dict(keys)
    ]
    if not variants:
        return []
    standard = model.get("prices")
    base = standard if isinstance(standard, list) else [Node("ConditionalPrice", {"prices": standard})]
    first = min(_day(variant) for variant in variants)
    days = sorted({first, *(_day(part) for part in (*variants, *base) if _day(part) > first)})
    merges: list[Merge] = []
    for day in days:
        fields: dict[str, Any] = {}
        for variant in variants:
            if _day(variant) <= day:
                fields = {**variant.get("prices").fields, **fields}
        changed = [_overlaid(price, fields) for price in base]
        found = _on(changed, day)
        if (
            not merges
            or merges[-1].prices.prices != found.prices.prices
            or merges[-1].prices.tiers != found.prices.tiers
        ):
            merges.append(found)
    return merges


def _overlaid(price: Node, fields: Mapping[str, Any]) -> Node:
    over = Node("ModelPrice", {**price.get("prices").fields, **fields})
    return Node(price.shape, {**price.fields, "prices": over})


def _day(conditional: Node) -> str:
    constraint = conditional.get("constraint")
    return str(constraint.get("start_date")) if constraint and constraint.shape == "StartDateConstraint" else ""


def _on(conditional: Sequence[Node], day: str) -> Merge:
    in_force = [conditional[0]]
    for price in conditional:
        constraint = price.get("constraint")
        if constraint is not None and constraint.shape == "TimeOfDateConstraint":
            in_force.append(price)
        elif _day(price) <= day:
            in_force = [price]
    return _dearest([_listed(price.get("prices").fields, day) for price in in_force], day)


def _dearest(merges: Sequence[Merge], day: str) -> Merge:
    if len(merges) == 1:
        return merges[0]
    if any(merge.prices.tiers or merge.prices.prices.keys() != merges[0].prices.prices.keys() for merge in merges):
        raise Unpriceable("prices by the time of day that name different classes or tiers")
    highest = {name: max(merge.prices.prices[name] for merge in merges) for name in merges[0].prices.prices}
    merged = tuple(sorted({kind for merge in merges for kind in merge.merged}))
    return Merge(DatedPrices(effective_from=day, prices=highest), merged)


def _listed(fields: Mapping[str, Any], day: str) -> Merge:
    starts = {tier.get("start") for value in fields.values() for tier in _tiers(value)}
    if any(type(start) is not int or start < 1 for start in starts):
        raise SourceFault(f"tiers that start at {starts}")
    base = _classes(fields, 0)
    if not base:
        raise Unpriceable("the source names no price")
    if not any(base.values()):
        raise Unpriceable("the source says that it is free")
    tiers = []
    for start in sorted(starts):
        above = _classes(fields, start)
        changed = {name: price for name, price in above.items() if price != base[name]}
        tiers.append(Tier(above_input=start, prices=changed))
    _refuse_dearer_parts(fields, base)
    return Merge(DatedPrices(effective_from=day, prices=base, tiers=tuple(tiers)), tuple(_dearer(fields, base)))


def _tiers(value: Any) -> list[Node]:
    return list(value.get("tiers", [])) if isinstance(value, Node) else []


def _at(value: Any, start: int) -> Decimal:
    """The price of a request with more than `start` input tokens."""
    if not isinstance(value, Node):
        return checked_price(value)
    price = value.get("base")
    for tier in sorted(_tiers(value), key=lambda tier: int(tier.get("start"))):
        if tier.get("start") <= start:
            price = tier.get("price")
    return checked_price(price)


def _classes(fields: Mapping[str, Any], start: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in fields.items():
        if value is None or key in MERGED:
            continue
        if key not in CLASSES:
            raise Unpriceable(f"no usage class holds what the source prices as {key}")
        name, units = CLASSES[key]
        found[name] = max(found.get(name, 0), _bounded(name, whole_pico(_at(value, start), units)))
    return {name: found[name] for name in USAGE_CLASSES if name in found}


def _bounded(name: str, pico: int) -> int:
    largest = MAX_PRICE_PICO if name in {"seconds", "characters", "images", "request", "tool_call"} else None
    if pico > (largest or MAX_TOKEN_PRICE_PICO):
        raise Unpriceable(f"a price of {name} beyond what can be charged")
    return pico


def _dearer(fields: Mapping[str, Any], base: Mapping[str, int]) -> Iterable[str]:
    """Kinds that cost more than the class that they are metered in."""
    for key, name in MERGED.items():
        if fields.get(key) is not None and whole_pico(_at(fields[key], 0), _MILLION) > base.get(
            name, base.get("input", 0)
        ):
            yield key.removesuffix("_mtok")


def _refuse_dearer_parts(fields: Mapping[str, Any], base: Mapping[str, int]) -> None:
    for kind in _dearer(fields, base):
        if f"{kind}_mtok" not in _AUDIBLE:
            raise Unpriceable(f"no usage class holds {kind} tokens, which cost more than the others")
