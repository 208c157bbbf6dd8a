"""Counts the input of a request that is not made: by the upstream where it does so free of charge, else offline."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from ...core.catalog import OfferedModel, Route
from ...core.errors import UpstreamFailed
from ...core.fairness import Turn
from ...core.limits import Limit
from ...core.routing import Weighed, endpoint_of, order
from ...upstream.passage import Passage
from ...wire.codec import Call, Sending
from ..runtime import Runtime
from .admit import enter, find_model
from .estimate import counted_input
from .job import Caller
from .serving import api_for, maker_of
from .standby import Standby

_PER_MINUTE: Final = 4_000
"""Agents count every part of a conversation at once; this is theirs alone, beside the limit of calls."""
_ANSWER_BYTES: Final = 64 * 1024
_SECONDS: Final = 5.0


class Counter(Struct, frozen=True, kw_only=True):
    """An API's own counter: its path at the upstream, the body to send, and how its answer is read.

    `read` raises UpstreamFailed for anything but a count.
    """

    path: Callable[[Call, Sending], str]
    encode: Callable[[Call, Sending], bytes]
    read: Callable[[bytes], int]


async def count(runtime: Runtime, caller: Caller, call: Call, counter: Counter | None, standby: Standby) -> int:
    """Input tokens of the call. Raises ModelNotFound or RateLimited. Costs nothing, so it may be ended at any time."""
    standby.held()
    offered = find_model(caller.storefront, caller.account, call.model)
    await enter(runtime, [Limit("key", "requests", f"count:{caller.account.key_id}", _PER_MINUTE)])
    if counter is not None:
        route = _route(runtime, offered, call)
        if route is not None:
            with suppress(UpstreamFailed, TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    return await _ask(runtime, caller, call, route, counter)
    return counted_input(call, offered.model)


def _route(runtime: Runtime, offered: OfferedModel, call: Call) -> Route | None:
    """The first route that is healthy and whose upstream speaks the caller's API."""
    upstreams = runtime.snapshot.upstreams
    now = time.monotonic()

    def suits(route: Route) -> bool:
        config = upstreams.get(route.upstream)
        if config is None or api_for(call.api, config) != call.api:
            return False
        return runtime.endpoints.admission(endpoint_of(route), now) == "yes"

    by = Weighed(point=lambda _endpoint: random.random(), cost=_no_cost, speed=lambda _endpoint: None)  # noqa: S311
    return next(order(offered.turns, "priority", by, suits), None)


def _no_cost(_route: Route) -> int:
    """Counting is free of charge."""
    return 0


async def _ask(runtime: Runtime, caller: Caller, call: Call, route: Route, counter: Counter) -> int:
    config = runtime.snapshot.upstreams[route.upstream]
    sending = Sending(
        model=route.upstream_model, provider=config.provider, maker=maker_of(config), output_limit=None, room=1
    )
    response = await runtime.upstream(route.upstream).open(
        counter.path(call, sending),
        counter.encode(call, sending),
        stream=False,
        request_id=caller.request_id,
        headers=call.headers,
        passage=Passage(turn=Turn(caller.storefront.tenant_id, caller.account.customer_id), deadlines=route.deadlines),
    )
    try:
        if response.status >= 300:
            raise UpstreamFailed(f"status {response.status}", upstream_status=response.status)
        return counter.read(await response.read(_ANSWER_BYTES))
    finally:
        response.abort()
