"""The order in which a model's routes are asked, by its strategy. Knows nothing of who is healthy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from msgspec import Struct

from ..catalog import Route, Strategy

EndpointName = tuple[str, str]
"""An upstream and the model's name there."""
EXPLORED: Final = 0.05
"""The share of `fastest` calls that go by weight alone, so that an endpoint that has become faster is noticed."""
_LEAST: Final = 2.0**-64


class Weighed(Struct, frozen=True, kw_only=True):
    """What the choice of one call is weighed by.

    `point`: a number in [0, 1) for an endpoint, such as a random one. `cost`: what the call is likely to cost there, in
    nano-USD. `speed`: milliseconds to its first content; None where nothing was measured. `explore`: a number in
    [0, 1), drawn once a call.
    """

    point: Callable[[EndpointName], float]
    cost: Callable[[Route], int]
    speed: Callable[[EndpointName], float | None]
    explore: float = 1.0


def _any(_route: Route) -> bool:
    return True


def endpoint_of(route: Route) -> EndpointName:
    """The endpoint that a route leads to."""
    return route.upstream, route.upstream_model


def order(
    turns: Sequence[Sequence[Route]], strategy: Strategy, by: Weighed, suits: Callable[[Route], bool] = _any
) -> Iterator[Route]:
    """Every route that `suits` once, in the order in which they are to be asked. `turns`: `catalog.by_priority`.

    `priority`: in turn, by weight within one; `weighted`: by weight alone; `lowest_cost` and `fastest`:
    the cheapest and the quickest first, among equals as `priority` does. What was never measured is tried first. By
    priority a route is not looked at before those ahead of it were taken, so that many cost a call no more than few.
    """
    if strategy == "priority":
        return _by_priority(turns, by, suits)
    routes = chain.from_iterable(turns)
    if strategy == "weighted" or (strategy == "fastest" and by.explore < EXPLORED):
        return iter(sorted(filter(suits, routes), key=lambda route: _arrival(route, by)))
    if strategy == "lowest_cost":
        return iter(
            sorted(filter(suits, routes), key=lambda route: (by.cost(route), route.priority, _arrival(route, by)))
        )
    return iter(
        sorted(
            filter(suits, routes),
            key=lambda route: (by.speed(endpoint_of(route)) or 0.0, route.priority, _arrival(route, by)),
        )
    )


def _by_priority(turns: Sequence[Sequence[Route]], by: Weighed, suits: Callable[[Route], bool]) -> Iterator[Route]:
    """By priority, and by arrival where several have the same: a route that is alone in its place needs none."""
    for turn in turns:
        alike = list(filter(suits, turn))
        yield from alike if len(alike) <= 1 else sorted(alike, key=lambda route: _arrival(route, by))


def _arrival(route: Route, by: Weighed) -> float:
    """When the route's turn comes, if each comes at a rate of its weight: the first is drawn in proportion to weights.

    With points that hang on a conversation alone this is weighted rendezvous hashing: whoever computes it agrees, and
    an endpoint that is added or taken away moves only the conversations that it gains or loses.
    """
    if route.weight <= 0:
        return math.inf
    return -math.log(max(by.point(endpoint_of(route)), _LEAST)) / route.weight
