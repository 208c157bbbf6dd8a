"""Cost → wholesale → retail, and the charge of a call. Pure integer arithmetic; publishes and stores nothing.

See docs/money.md: prices are derived once, rounded half-up, published, and charged from as published.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from .catalog import INPUT_CLASSES, OUTPUT_CLASSES, PriceList, PriceVersion, Tier, price_of
from .money import add_markup, charge_nano, fee_on

_TEXT_CLASSES: Final = ("input", "cached_input", "cache_write", "cache_write_1h", "output")

_Change = Callable[[str, int], int]


class PricingRule(Struct, frozen=True, kw_only=True):
    """One of a tenant's pricing rules; the first whose `match` fits the public model name wins.

    `prices` are absolute retail prices by class; classes not named follow `markup_ppm`, else the tenant's.
    """

    match: str
    markup_ppm: int | None = None
    prices: Mapping[str, int] = {}
    allow_loss: bool = False


class Loss(Struct, frozen=True, kw_only=True):
    """A published price below the one it is derived from. Prices in pico-USD per unit."""

    usage_class: str
    above_input: int
    base: int
    price: int


def complete(price_list: PriceList) -> PriceList:
    """The list with every text token class named, so that what is published is all that can be charged.

    A tier keeps the price of each class that the list names and it does not; a class that neither names follows its
    fallback at the tier's own prices.
    """
    tiers = tuple(
        Tier(above_input=tier.above_input, prices=_complete_prices({**price_list.prices, **tier.prices}))
        for tier in sorted(price_list.tiers, key=lambda tier: tier.above_input)
    )
    return PriceList(prices=_complete_prices(price_list.prices), tiers=tiers)


def dearest(lists: Iterable[PriceList]) -> PriceList:
    """Class by class the highest price among `lists`, at every tier boundary that any of them has."""
    completed = [complete(price_list) for price_list in lists]
    boundaries = sorted({tier.above_input for price_list in completed for tier in price_list.tiers})
    return PriceList(
        prices=_highest([price_list.prices for price_list in completed]),
        tiers=tuple(
            Tier(above_input=above, prices=_highest([price_list.at(above + 1) for price_list in completed]))
            for above in boundaries
        ),
    )


def derive_wholesale(cost: PriceList, markup_ppm: int) -> PriceList:
    """Operator → reseller: cost × (1 + markup), rounded half-up once per class."""
    return _map_prices(complete(cost), lambda _name, price: add_markup(price, markup_ppm))


def derive_fee(cost: PriceList, fee_ppm: int) -> PriceList:
    """Operator → reseller where the reseller pays the provider itself: a share of that cost, once per class."""
    return _map_prices(complete(cost), lambda _name, price: fee_on(price, fee_ppm))


def free_of_charge(cost: PriceList) -> PriceList:
    """The same classes and tiers at no price: what a call costs an operator who does not pay for it."""
    return _map_prices(complete(cost), lambda _name, _price: 0)


def matching_rule(model: str, rules: Sequence[PricingRule]) -> PricingRule | None:
    """The first rule whose glob fits the public model name (case-sensitive)."""
    return next((rule for rule in rules if fnmatch.fnmatchcase(model, rule.match)), None)


def derive_retail(model: str, wholesale: PriceList, markup_ppm: int, rules: Sequence[PricingRule]) -> PriceList:
    """Reseller → customer: the rule's absolute price of a class, else the rounded wholesale price × (1 + markup)."""
    rule = matching_rule(model, rules)
    if rule is None:
        return _map_prices(wholesale, lambda _name, price: add_markup(price, markup_ppm))
    ppm = markup_ppm if rule.markup_ppm is None else rule.markup_ppm
    return _map_prices(wholesale, lambda name, price: rule.prices.get(name, add_markup(price, ppm)))


def derive_group_retail(
    model: str, wholesale: PriceList, markup_ppm: int, rules: Sequence[PricingRule], retail: PriceList
) -> PriceList:
    """Reseller → a group of customers: the rounded wholesale price × (1 + the group's markup).

    A model that a rule gives prices of its own costs the group what it costs everybody: `retail`.
    """
    rule = matching_rule(model, rules)
    if rule is not None and rule.prices:
        return retail
    return _map_prices(wholesale, lambda _name, price: add_markup(price, markup_ppm))


def losses(base: PriceList, price_list: PriceList) -> list[Loss]:
    """Every class and tier at which `price_list` lies below `base`."""
    found = []
    for above in (0, *sorted({tier.above_input for tier in (*base.tiers, *price_list.tiers)})):
        base_prices, prices = base.at(above + 1), price_list.at(above + 1)
        for name in sorted({*base_prices, *prices}):
            low, price = price_of(base_prices, name), price_of(prices, name)
            if low is not None and price is not None and price < low:
                found.append(Loss(usage_class=name, above_input=above, base=low, price=price))
    return found


def charge(price_list: PriceList, quantities: Mapping[str, int]) -> int:
    """The charge in nano-USD: ceil(Σ quantity × price / 1000), rounded once.

    A class without a price and without a fallback raises KeyError: nothing is charged as a silent zero. Only
    `request` is optional: every call is one, and a list that does not name it has no price per request.
    """
    prices = price_list.charged[price_list.place(input_tokens(quantities)) if price_list.tiers else 0]
    pico = 0
    for name, quantity in quantities.items():
        if quantity:  # of what there is nothing there need be no price
            pico += quantity * prices[name]
    return charge_nano(pico)


def lowest(versions: Sequence[PriceVersion], quantities: Mapping[str, int]) -> tuple[PriceVersion, int]:
    """The version whose charge is the lowest, the first of equals, and that charge in nano-USD. Raises as `charge`."""
    if len(versions) == 1:
        return versions[0], charge(versions[0].price_list, quantities)
    charged = [(charge(version.price_list, quantities), place) for place, version in enumerate(versions)]
    amount, place = min(charged)
    return versions[place], amount


def charge_lines(price_list: PriceList, quantities: Mapping[str, int]) -> list[tuple[str, int, int, int]]:
    """The lines behind `charge`: (class, quantity, price in pico-USD, exact product in pico-USD)."""
    prices = price_list.at(input_tokens(quantities))
    lines = []
    for name, quantity in quantities.items():
        if quantity and not (name == "request" and name not in prices):
            price = _required_price(prices, name)
            lines.append((name, quantity, price, quantity * price))
    return lines


def input_tokens(quantities: Mapping[str, int]) -> int:
    """Input tokens of all classes: what a long-context tier is judged by."""
    return sum(quantities.get(name, 0) for name in INPUT_CLASSES)


class Bound(Struct, frozen=True):
    """The dearest prices that a request with more than `above_input` input tokens can meet, in pico-USD."""

    above_input: int
    per_input: int
    per_output: int
    per_request: int


def bounds(price_list: PriceList) -> tuple[Bound, ...]:
    """The list's bounds in rising order of `above_input`, each at least as high as the one before it."""
    found = [_bound(0, price_list.prices)]
    for tier in price_list.tiers:
        here, before = _bound(tier.above_input, tier.prices), found[-1]
        found.append(
            Bound(
                tier.above_input,
                max(here.per_input, before.per_input),
                max(here.per_output, before.per_output),
                max(here.per_request, before.per_request),
            )
        )
    return tuple(found)


def bound_for(known: tuple[Bound, ...], input_bound: int) -> Bound:
    """The bound that a request of at most this many input tokens may meet."""
    chosen = known[0]
    for bound in known[1:]:
        if input_bound > bound.above_input:
            chosen = bound
    return chosen


def units_bound(price_list: PriceList, units: Mapping[str, int]) -> int:
    """The most that these quantities of other units than tokens can come to, in pico-USD, whatever tier is met.

    A class without a price raises KeyError, but `request`, which is optional.
    """
    tables = (price_list.prices, *(tier.prices for tier in price_list.tiers))
    return sum(
        quantity * max(_required_price(prices, name) for prices in tables)
        for name, quantity in units.items()
        if quantity
    )


def _bound(above_input: int, prices: Mapping[str, int]) -> Bound:
    return Bound(
        above_input,
        max(prices.get(name, 0) for name in INPUT_CLASSES),
        max(prices.get(name, 0) for name in OUTPUT_CLASSES),
        prices.get("request", 0),
    )


def _required_price(prices: Mapping[str, int], usage_class: str) -> int:
    price = price_of(prices, usage_class)
    if price is None and usage_class == "request":
        return 0
    if price is None:
        raise KeyError(usage_class)
    return price


def _complete_prices(prices: Mapping[str, int]) -> dict[str, int]:
    filled = dict(prices)
    for name in _TEXT_CLASSES:
        price = price_of(prices, name)
        if price is not None:
            filled[name] = price
    return filled


def _highest(lists: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = [name for prices in lists for name in prices]
    result = {}
    for name in dict.fromkeys(names):
        known = [price for prices in lists if (price := price_of(prices, name)) is not None]
        result[name] = max(known)
    return result


def _map_prices(price_list: PriceList, change: _Change) -> PriceList:
    return PriceList(
        prices={name: change(name, price) for name, price in price_list.prices.items()},
        tiers=tuple(
            Tier(
                above_input=tier.above_input,
                prices={name: change(name, price) for name, price in tier.prices.items()},
            )
            for tier in price_list.tiers
        ),
    )
