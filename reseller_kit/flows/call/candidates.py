"""The routes that may serve a call, in the order in which they are asked: by strategy, conversation and fallbacks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final

from msgspec import Struct

from ...core import pricing
from ...core.catalog import OfferedModel, Route
from ...core.routing import EndpointName, Weighed, endpoint_of, order, point_of
from ...core.storefront import UpstreamConfig
from ...core.usage import ONE_REQUEST
from ..prepared import Candidate, candidate_of
from ..runtime import Runtime
from .admit import is_allowed
from .job import Job

_BY_WEIGHT: Final = frozenset({"priority", "weighted"})
_BYTES_A_TOKEN = 4
"""Of text in most languages; the bound of a call's input counts bytes."""


class Suits(Struct, frozen=True):
    """What can serve a call: which upstreams, and which models that it may fall back to."""

    upstream: Callable[[UpstreamConfig], bool]
    model: Callable[[OfferedModel], bool]


def candidates(runtime: Runtime, job: Job, suits: Suits) -> Iterator[Candidate]:
    """All of them: those of the model first, then those of its fallbacks. None is made before it is asked for."""
    upstreams = runtime.snapshot.upstreams
    fit: dict[str, bool] = {}

    def serves(route: Route) -> bool:
        name = route.upstream
        if name not in fit:
            config = upstreams.get(name)
            fit[name] = config is not None and suits.upstream(config)
        return fit[name] and _prices_units(route, job.units)

    for offered in _asked(job, suits):
        for route in _ordered(runtime, job, offered, serves):
            yield candidate_of(offered, route, upstreams[route.upstream])


def is_at_home(runtime: Runtime, job: Job, endpoint: EndpointName) -> bool:
    """Whether the call's conversation, if it is any, was answered at no other endpoint."""
    known = _home(runtime, job, time.monotonic())
    return known is None or known == endpoint


def _home(runtime: Runtime, job: Job, now: float) -> EndpointName | None:
    """Where the call's conversation was answered last, if a prompt cache may lie there."""
    wanted = job.wanted
    if wanted.conversation is None or wanted.remember is None:
        return None
    return runtime.endpoints.affinity.of(wanted.remember, now)


def _asked(job: Job, suits: Suits) -> Iterator[OfferedModel]:
    """The model, and those that may answer instead, which are such as the customer could have asked for by name."""
    yield job.offered
    models, account = job.caller.storefront.models, job.caller.account
    for name in job.offered.fallbacks:
        model = models.get(name)
        if model is not None and model.model == name and is_allowed(model, account.models) and suits.model(model):
            yield model


def _ordered(runtime: Runtime, job: Job, offered: OfferedModel, serves: Callable[[Route], bool]) -> Iterator[Route]:
    if len(offered.routes) == 1:
        return filter(serves, offered.routes)
    conversation, endpoints = job.wanted.conversation, runtime.endpoints
    # All are compared by price, or two at most.
    likely = _likely(runtime, job, offered) if offered.strategy == "lowest_cost" else None
    by = Weighed(
        point=_at_random if conversation is None else partial(point_of, conversation),
        draw=random.random if conversation is None else None,
        cost=lambda route: _cost(route, likely or _likely(runtime, job, offered)),
        speed=lambda endpoint: endpoints.speeds.first_byte(endpoint, stream=job.wanted.stream),
        explore=random.random() if offered.strategy == "fastest" else 1.0,  # noqa: S311  # no secret either
    )
    ordered = order(offered.turns, offered.strategy, by, serves)
    now = time.monotonic()
    known = _home(runtime, job, now)
    if known is None or endpoints.admission(known, now) != "yes":
        return ordered
    home = offered.turns[0].alike.get(known)
    if home is not None and offered.strategy in _BY_WEIGHT and serves(home):
        # Whichever of these would be first: none is preferred to another, nor cheaper.
        return chain((home,), (route for route in ordered if route is not home))
    looked: list[Route] = []
    # One that is due for a probe counts: were everybody at home elsewhere, nobody would find out that it is back.
    for first in ordered:
        looked.append(first)
        if endpoints.admission(endpoint_of(first), now) != "no":
            break
    else:
        return iter(looked)
    ordered = chain(looked, ordered)
    home = first if endpoint_of(first) == known else _route_to(known, offered.routes, serves)
    if home is None or home is looked[0] or not _may_stay(job, offered, home, first, by):
        return ordered
    return chain((home,), (route for route in ordered if route is not home))


def _route_to(endpoint: EndpointName, routes: Sequence[Route], serves: Callable[[Route], bool]) -> Route | None:
    upstream, model = endpoint
    found = (route for route in routes if route.upstream_model == model and route.upstream == upstream)
    return next(filter(serves, found), None)


def _may_stay(job: Job, offered: OfferedModel, home: Route, first: Route, by: Weighed) -> bool:
    """Whether a conversation stays where its prompt cache is, although the strategy would choose another route.

    Prompts that begin alike may be anybody's, so they go back to the route that the operator prefers.
    """
    if offered.strategy == "priority" and home.priority > first.priority and not job.wanted.named:
        return False
    return home.paid.id == first.paid.id or by.cost(home) <= by.cost(first)


def _cost(route: Route, likely: Mapping[str, int]) -> int:
    prices = route.paid.price_list.prices
    return pricing.charge(route.paid.price_list, {name: n for name, n in likely.items() if name in prices})


def _at_random(_endpoint: EndpointName) -> float:
    return random.random()  # noqa: S311  # which way a call goes is no secret


def _likely(runtime: Runtime, job: Job, offered: OfferedModel) -> Mapping[str, int]:
    """What the call is likely to use, for a comparison of prices."""
    output = min(job.output_limit, runtime.endpoints.speeds.output(offered.model)) * job.wanted.choices
    return {**job.units, "input": job.wanted.input_bound // _BYTES_A_TOKEN, "output": output}


def _prices_units(route: Route, units: Mapping[str, int]) -> bool:
    """Whether it is known what the route charges for the units that the call may come to."""
    if units is ONE_REQUEST:
        return True
    prices = route.cost.price_list.prices
    return all(name in prices for name in units if name != "request")
