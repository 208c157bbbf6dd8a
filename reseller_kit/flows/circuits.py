"""Circuits as the operator and customers see them. Opens and closes none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ..core.catalog import OfferedModel
from ..core.health import State as Health
from ..core.routing import endpoint_of
from ..core.routing.breaker import State
from ..core.storefront import Storefront
from ..db import endpoints, upstreams
from ..db.engine import NO_TENANT, Database, now_us
from .runtime import Runtime

Shown = State | Literal["off"]
"""off: the upstream is configured without circuits, so it is asked however it does."""


class Circuit(Struct, frozen=True, kw_only=True):
    """The circuit of an upstream's model. `until`: µs, when an open one is due for a probe."""

    upstream: str
    model: str
    circuit: Shown
    failures: int = 0
    until: int | None = None
    reason: str = ""


async def list_circuits(db: Database) -> dict[str, list[Circuit]]:
    """Of every upstream, one for each of its models that a route leads to."""
    async with db.read(NO_TENANT) as connection:
        routed = await upstreams.endpoints(connection)
        off = await upstreams.without_circuits(connection)
        written = {(row.upstream, row.upstream_model): row for row in await endpoints.every(connection)}
    now, found = now_us(), dict[str, list[Circuit]]()
    for upstream, model in routed:
        row = written.get((upstream, model))
        if upstream in off or row is None or row.state == "closed":
            circuit = Circuit(upstream=upstream, model=model, circuit="off" if upstream in off else "closed")
        else:
            circuit = Circuit(
                upstream=upstream,
                model=model,
                circuit="open" if row.until > now else "half_open",
                failures=row.failures,
                until=row.until,
                reason=row.reason,
            )
        found.setdefault(upstream, []).append(circuit)
    return found


def worst(circuits: Sequence[Circuit]) -> Shown:
    """An upstream's state in one word: that of its worst circuit."""
    states: tuple[Shown, ...] = ("open", "half_open", "off")
    return next((state for state in states if any(each.circuit == state for each in circuits)), "closed")


def health_of(runtime: Runtime, storefront: Storefront, offered: OfferedModel) -> Health:
    """How a model does, for its customers: what its latest calls said, and at once what its circuits say."""
    said = runtime.health.state(offered)
    if _is_up(runtime, offered):
        return said
    fallbacks = [found for name in offered.fallbacks if (found := storefront.models.get(name)) is not None]
    return "degraded" if any(_is_up(runtime, each) for each in fallbacks) else "down"


def _is_up(runtime: Runtime, offered: OfferedModel) -> bool:
    return any(runtime.endpoints.state(endpoint_of(route)) == "closed" for route in offered.routes)
