"""Models, routes and price lists as values. Derives nothing (that is `pricing`) and asks no upstream.

A price list maps a usage class to pico-USD per unit; classes of tokens and classes of other units are told apart
by `TOKEN_CLASSES` and `UNIT_CLASSES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Final, Literal

from msgspec import Struct

from .deadlines import Deadlines

TOKEN_CLASSES: Final = (
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "input_audio",
    "output_audio",
    "input_image",
    "output_image",
)
UNIT_CLASSES: Final = ("seconds", "characters", "images", "request", "tool_call")
USAGE_CLASSES: Final = TOKEN_CLASSES + UNIT_CLASSES
INPUT_CLASSES: Final = ("input", "cached_input", "cache_write", "cache_write_1h", "input_audio", "input_image")
OUTPUT_CLASSES: Final = ("output", "output_audio", "output_image")
_FALLBACK: Final = {
    "cached_input": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "input_audio": "input",
    "input_image": "input",
    "output_audio": "output",
    "output_image": "output",
}
"""Which price a token class falls back to where a list does not name it: never a silent zero."""

Strategy = Literal["priority", "weighted", "lowest_cost", "fastest"]
"""How a call's route is chosen among a model's; see `core.routing.choice`."""

DEFAULT_CONTEXT: Final = 128_000
DEFAULT_MAX_OUTPUT: Final = 8_192


def price_of(prices: Mapping[str, int], usage_class: str) -> int | None:
    """The price of a class, by its fallback where the list does not name it; None when it is not priced."""
    name: str | None = usage_class
    while name is not None:
        if name in prices:
            return prices[name]
        name = _FALLBACK.get(name)
    return None


class Tier(Struct, frozen=True, kw_only=True):
    """Prices that replace the list's own for a request with more than `above_input` input tokens of all classes."""

    above_input: int
    prices: dict[str, int]


class PriceList(Struct, frozen=True, kw_only=True, dict=True):
    """Pico-USD per unit by usage class, with long-context tiers in rising order of `above_input`.

    What each class is charged at is found out once: every call asks.
    """

    prices: dict[str, int]
    tiers: tuple[Tier, ...] = ()

    def at(self, input_tokens: int) -> dict[str, int]:
        """The prices in force for a request with this many input tokens of all classes."""
        place = self.place(input_tokens)
        return self.tiers[place - 1].prices if place else self.prices

    def place(self, input_tokens: int) -> int:
        """Which prices are in force then: 0 for the list's own, n for those of its n-th tier."""
        chosen = 0
        for place, tier in enumerate(self.tiers, 1):
            if input_tokens > tier.above_input:
                chosen = place
        return chosen

    @cached_property
    def charged(self) -> tuple[Mapping[str, int], ...]:
        """By place: what a unit of each class comes to, by its fallback where it is not named.

        What has no price is left out, but for a request, which is free unless it has one: every call is one.
        """
        return tuple(
            _completed(tuple(prices.items())) for prices in (self.prices, *(tier.prices for tier in self.tiers))
        )


@lru_cache(maxsize=4_096)
def _completed(named: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """The same for all storefronts with the same prices, of which there may be thousands."""
    prices = dict(named)
    found = {name: price for name in USAGE_CLASSES if (price := price_of(prices, name)) is not None}
    return {"request": 0, **prices, **found}


class PriceVersion(Struct, frozen=True, kw_only=True):
    """An immutable, dated price list: what a hold pins and a usage record names."""

    id: str
    level: str
    price_list: PriceList


class Route(Struct, frozen=True, kw_only=True):
    """One way to serve a model: an upstream's full name, the model's name there, and what that route charges.

    `id` is negative where the route stands in a tenant's own table. `provider`: what the reseller pays there, where the
    upstream is its own and the cost is therefore nothing. `deadlines`: its own, where they are not its upstream's.
    """

    id: int
    upstream: str
    upstream_model: str
    priority: int
    weight: int
    cost: PriceVersion
    deadlines: Deadlines | None = None
    provider: PriceVersion | None = None

    @property
    def paid(self) -> PriceVersion:
        """What whoever pays the upstream pays there: the one by which routes are dearer or cheaper."""
        return self.provider or self.cost


_RETAIL: Final = "retail"


def retail_level(group_id: str | None) -> str:
    """The level under which retail prices are published: a group of customers that pays its own has one of its own."""
    return _RETAIL if group_id is None else f"{_RETAIL}:{group_id}"


def group_of_level(level: str) -> str | None:
    """Whose retail prices a level holds; None for everybody's, and for all other levels."""
    head, _, group_id = level.partition(":")
    return group_id if head == _RETAIL and group_id else None


class LaterPrice(Struct, frozen=True):
    """A price list that is to take effect at a moment (µs)."""

    effective_from: int
    price_list: PriceList


class Turn(tuple[Route, ...]):  # noqa: SLOT001  # it keeps what it found out
    """Routes among which weights decide. What follows from them is found out once."""

    @cached_property
    def shares(self) -> tuple[int, ...]:
        """The weights up to each of them, added up."""
        return tuple(accumulate(max(0, route.weight) for route in self))

    @cached_property
    def endpoints(self) -> tuple[tuple[str, str], ...]:
        """Where each of them leads to: an upstream and the model's name there."""
        return tuple((route.upstream, route.upstream_model) for route in self)

    @cached_property
    def alike(self) -> dict[tuple[str, str], Route]:
        """All of them by where they lead, if they have the same prices; else none."""
        if any(route.paid.price_list != self[0].paid.price_list for route in self):
            return {}
        return dict(zip(reversed(self.endpoints), reversed(self), strict=True))


def by_priority(routes: Iterable[Route]) -> tuple[Turn, ...]:
    """Routes in turn, the lowest number first, and those of one priority together."""
    priority = attrgetter("priority")
    return tuple(Turn(alike) for _, alike in groupby(sorted(routes, key=priority), key=priority))


class OfferedModel(Struct, frozen=True, kw_only=True, dict=True):
    """A model as one tenant offers it, under the name that its customers use.

    What follows from its routes is found out once: there may be a hundred, and every call asks.
    """

    name: str
    """The public name or alias that the customer asked for."""
    model: str
    """The public model that `name` stands for; the same unless it is an alias."""
    context: int
    max_output: int
    retail: PriceVersion
    wholesale: PriceVersion
    routes: tuple[Route, ...]
    strategy: Strategy = "priority"
    fallbacks: tuple[str, ...] = ()
    """Public models that may answer in its place, in order; empty where the tenant does not let it fall back."""
    created_at: int
    """Unix seconds, as `GET /v1/models` shows."""

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The routes by priority, or all together where only weights count."""
        return (Turn(self.routes),) if self.strategy == "weighted" else by_priority(self.routes)

    @cached_property
    def upstreams(self) -> frozenset[str]:
        """The upstreams that serve it."""
        return frozenset(route.upstream for route in self.routes)
