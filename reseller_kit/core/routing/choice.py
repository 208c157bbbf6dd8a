"""The order in which a model's routes are asked, by its strategy. Knows nothing of who is healthy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from msgspec import Struct

from ..catalog import Route, Strategy, Turn

EndpointName = tuple[str, str]
"""An upstream and the model's name there."""
EXPLORED: Final = 0.05
"""The share of `fastest` calls that go by weight alone, so that an endpoint that has become faster is noticed."""
_LEAST: Final = 2.0**-64
_DRAWS: Final = 4


class Weighed(Struct, frozen=True, kw_only=True):
    """What the choice of one call is weighed by.

    `point`: a number in [0, 1) for an endpoint, such as a random one. `cost`: what the call is likely to cost there, in
    nano-USD. `speed`: milliseconds to its first content; None where nothing was measured. `explore`: a number in
    [0, 1), drawn once a call. `draw`: another such number, where points are random as well.
    """

    point: Callable[[EndpointName], float]
    cost: Callable[[Route], int]
    speed: Callable[[EndpointName], float | None]
    explore: float = 1.0
    draw: Callable[[], float] | None = None


def _any(_route: Route) -> bool:
    return True


def endpoint_of(route: Route) -> EndpointName:
    """The endpoint that a route leads to."""
    return route.upstream, route.upstream_model


def order(
    turns: Sequence[Turn], strategy: Strategy, by: Weighed, suits: Callable[[Route], bool] = _any
) -> Iterator[Route]:
    """Every route that `suits` once, in the order in which they are to be asked. `turns`: `catalog.by_priority`.

    `priority`: in turn, by weight within one; `weighted`: by weight alone; `lowest_cost` and `fastest`:
    the cheapest and the quickest first, among equals as `priority` does. What was never measured is tried first.
    Hardly more than the first one is worked out before another is asked for, so that many cost a call no more than few.
    """
    if strategy == "priority":
        return chain.from_iterable(_by_weight(turn, by, suits) for turn in turns)
    together = turns[0] if len(turns) == 1 else Turn(chain.from_iterable(turns))
    if strategy == "weighted" or (strategy == "fastest" and by.explore < EXPLORED):
        return _by_weight(together, by, suits)
    if strategy == "lowest_cost":
        return _ranked(together, lambda route: (by.cost(route), route.priority), by, suits)
    return _ranked(together, lambda route: (by.speed(endpoint_of(route)) or 0.0, route.priority), by, suits)


def _by_weight(turn: Turn, by: Weighed, suits: Callable[[Route], bool]) -> Iterator[Route]:
    """By arrival; a route that is alone needs none. Where points are random, one number draws the first."""
    first = None if by.draw is None or len(turn) < 2 else _drawn(turn, by.draw, suits)
    if first is not None:
        yield first
    others = Turn(route for route in turn if route is not first and suits(route))
    if len(others) == len(turn):
        others = turn  # of which more is known
    yield from others if len(others) <= 1 else _arriving(others, by)


def _drawn(turn: Turn, draw: Callable[[], float], suits: Callable[[Route], bool]) -> Route | None:
    """One that suits, each with the probability of its weight, as by the first arrival; None where few seem to."""
    shares = turn.shares
    for _ in range(_DRAWS):
        place = bisect_right(shares, draw() * shares[-1])
        if place == len(turn):  # none has a weight, or so it was rounded
            return None
        if suits(turn[place]):
            return turn[place]
    return None


def _ranked(
    turn: Turn, rank: Callable[[Route], tuple[float, int]], by: Weighed, suits: Callable[[Route], bool]
) -> Iterator[Route]:
    """The lowest rank first, and by weight among equals."""
    ranked = [(rank(route), route) for route in turn if suits(route)]
    if not ranked:
        return
    best = min(found for found, _ in ranked)
    yield from _by_weight(Turn(route for found, route in ranked if found == best), by, _any)
    behind = sorted(((found, route) for found, route in ranked if found != best), key=itemgetter(0))
    for _, alike in groupby(behind, key=itemgetter(0)):
        yield from _by_weight(Turn(route for _, route in alike), by, _any)


def _arriving(turn: Turn, by: Weighed) -> list[Route]:
    """By when their turn comes, if each comes at a rate of its weight: the first is drawn in proportion to weights.

    With points that hang on a conversation alone this is weighted rendezvous hashing: whoever computes it agrees, and
    an endpoint that is added or taken away moves only the conversations that it gains or loses.
    """
    log, point = math.log, by.point
    arrivals = [
        -log(point(endpoint) or _LEAST) / route.weight if route.weight > 0 else math.inf
        for endpoint, route in zip(turn.endpoints, turn, strict=True)
    ]
    return [turn[place] for place in sorted(range(len(turn)), key=arrivals.__getitem__)]
