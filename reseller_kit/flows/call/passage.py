"""Takes a call to its upstream: whose turn it is there, and the upstream's own limits. Chooses no upstream."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from ...core.catalog import Route
from ...core.errors import KitError, Overloaded, RateLimited
from ...core.fairness import Turn
from ...core.limits import Limit
from ...core.storefront import UpstreamConfig
from ...upstream.faults import Busy
from ...upstream.passage import Passage
from ..runtime import Runtime
from .job import Job

_LOOK_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 1


def passage_for(runtime: Runtime, job: Job, route: Route, config: UpstreamConfig) -> Passage:
    """The way of a call's next attempt; what an earlier one took of its upstream's limits is given back."""
    if job.upstream_admission is not None:
        leave_upstream(runtime, job, tokens=0)
    limits = _limits(runtime, job, config) if config.limits else []
    turn = Turn(job.caller.storefront.tenant_id, job.caller.account.customer_id)
    if not limits:
        return Passage(turn=turn, deadlines=route.deadlines, exchange=job)
    seconds = runtime.upstream(config.name).endpoint.queue.seconds
    gate = partial(_enter, runtime, job, limits, seconds)
    return Passage(turn=turn, deadlines=route.deadlines, gate=gate, exchange=job)


def leave_upstream(runtime: Runtime, job: Job, *, tokens: int) -> None:
    """The call is done with the upstream that it asked last, and used so many tokens there."""
    admission, job.upstream_admission = job.upstream_admission, None
    if admission is not None:
        runtime.limiter.end(admission, tokens)


def no_room(busy: Busy) -> KitError:
    """What the caller gets to know where an upstream had no room, and no other one answered."""
    message = "Too many requests are waiting for this model. Please try again in a moment."
    kind = RateLimited if busy.own else Overloaded
    return kind(message, retry_after_seconds=busy.retry_after)


def _limits(runtime: Runtime, job: Job, config: UpstreamConfig) -> list[Limit]:
    limits = []
    for kind, most in config.limits:
        if kind == "tokens":
            limits.append(Limit("upstream", kind, config.name, most, min(sum(job.expected), most)))
        elif kind == "requests" or runtime.limiter.is_shared:
            # In one process the upstream's own slots are exact.
            limits.append(Limit("upstream", kind, config.name, most))
    return limits


async def _enter(runtime: Runtime, job: Job, limits: list[Limit], seconds: float) -> None:
    """Find room in an upstream's limits; a slot that another process holds is waited for. Raises Busy."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        admission = await runtime.limiter.take(limits)
        refused = admission.room.refused
        if refused is None:
            job.upstream_admission = admission
            return
        limit = limits[refused]
        if limit.kind != "concurrency" or loop.time() >= until:
            wait = max(_AGAIN_SECONDS, -(-admission.room.wait // 1_000_000))
            raise Busy(f"its limit of {limit.most} {limit.kind} is reached", retry_after=wait)
        await asyncio.sleep(_LOOK_SECONDS)
