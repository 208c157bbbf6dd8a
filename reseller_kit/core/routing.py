"""Which route serves a call, and whether another one is tried after a failure. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .catalog import Route

MAX_ATTEMPTS: Final = 3
_REJECTED: Final = frozenset({400, 404, 413, 422})
_RETRYABLE: Final = frozenset({401, 402, 403, 408, 409, 425, 429})


def ordered(routes: Sequence[Route], pick: Callable[[], float]) -> list[Route]:
    """Routes in the order to try: lower priority number first, within one priority drawn by weight.

    `pick` gives numbers in [0, 1), such as `random.random`. Routes of weight 0 come last within their priority.
    """
    if len(routes) == 1:
        return list(routes)
    result: list[Route] = []
    for priority in sorted({route.priority for route in routes}):
        rest = [route for route in routes if route.priority == priority]
        while rest:
            chosen = _draw(rest, pick())
            rest.remove(chosen)
            result.append(chosen)
    return result


def is_rejection(status: int) -> bool:
    """Whether an upstream's status says that the request itself is at fault: no other route is asked."""
    return status in _REJECTED


def is_retryable(status: int) -> bool:
    """Whether an upstream's status is its own trouble, so that another route may be asked."""
    return status in _RETRYABLE or status >= 500


def _draw(routes: Sequence[Route], point: float) -> Route:
    total = sum(route.weight for route in routes)
    if total == 0:
        return routes[0]
    mark = point * total
    for route in routes:
        mark -= route.weight
        if mark < 0:
            return route
    return routes[-1]
