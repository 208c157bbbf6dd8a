"""Use case of the operator: what upstreams read from their prompt caches, and what that saved. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from ..core.catalog import INPUT_CLASSES, PriceList
from ..core.pricing import charge
from ..core.times import DAY_US
from ..db import operator_audit, operator_reconcile, upstreams
from ..db.engine import EVERY_TENANT, Database, now_us
from .snapshot import price_list

DEFAULT_SINCE_US: Final = DAY_US
_quantities = msgspec.json.Decoder(dict[str, int]).decode


class Savings(Struct, kw_only=True):
    """Of one upstream. `read`: input tokens of all classes; `cached`: those from a cache; `saved`: nano-USD at cost."""

    upstream: str
    calls: int = 0
    read: int = 0
    cached: int = 0
    saved: int = 0

    @property
    def hit_percent(self) -> str:
        """The share of the input that came from a cache, with one decimal."""
        permille = self.cached * 1000 // self.read if self.read else 0
        return f"{permille // 10}.{permille % 10}"


async def cache_savings(db: Database, since: int | None = None) -> list[Savings]:
    """By upstream, of the calls since then (µs), by default of the last day.

    Each call is charged once as it was and once as if nothing had been cached, at the cost that its record names.
    """
    since = now_us() - DEFAULT_SINCE_US if since is None else since
    lists: dict[str, PriceList] = {}
    found = []
    async with db.read(EVERY_TENANT) as connection:
        for upstream in await upstreams.every(connection):
            sums = Savings(upstream=upstream.name)
            async for chunk in operator_reconcile.served(connection, upstream.name, since=since, until=None):
                unknown = {each.cost_version for each in chunk if each.cost_version} - lists.keys()
                if unknown:
                    stored = await operator_audit.price_versions(connection, unknown)
                    lists |= {version: price_list(each.prices) for version, each in stored.items()}
                for each in chunk:
                    _add(sums, _quantities(each.quantities), lists.get(each.cost_version or ""))
            found.append(sums)
    return found


def _add(sums: Savings, used: Mapping[str, int], prices: PriceList | None) -> None:
    cached = used.get("cached_input", 0)
    sums.calls += 1
    sums.read += sum(used.get(name, 0) for name in INPUT_CLASSES)
    sums.cached += cached
    if cached and prices is not None:
        uncached = {**used, "cached_input": 0, "input": used.get("input", 0) + cached}
        sums.saved += charge(prices, uncached) - charge(prices, used)
