"""Use cases of the operator on upstreams: list them, ask them whether they answer. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.errors import NotFound
from ..core.storefront import UpstreamConfig
from ..db import operator_upstreams, upstreams
from ..db.engine import EVERY_TENANT, Database
from ..db.upstreams import Upstream as StoredUpstream
from ..upstream.base import Check, Upstream
from ..vault import Vault
from . import snapshot


async def list_upstreams(db: Database) -> list[StoredUpstream]:
    """Every upstream of the operator's, and then of resellers' own, by name."""
    async with db.read(EVERY_TENANT) as connection:
        return [*await upstreams.every(connection), *await operator_upstreams.own_upstreams(connection)]


async def check_upstreams(
    db: Database, vault: Vault, make: Callable[[UpstreamConfig], Upstream], name: str | None
) -> list[Check]:
    """Ask each active upstream, or one, for something free of charge. Raises NotFound for an unknown name."""
    configs = (await snapshot.load(db, vault)).upstreams
    if name is not None and name not in configs:
        raise NotFound(f"There is no upstream {name[:80]!r}.", fix=f"There is: {', '.join(configs) or 'none yet'}.")
    chosen = [configs[each] for each in sorted(configs) if name in {None, each}]
    return list(await asyncio.gather(*(_check(make, config) for config in chosen)))


async def _check(make: Callable[[UpstreamConfig], Upstream], config: UpstreamConfig) -> Check:
    if not config.api_keys:
        return Check(upstream=config.name, ok=False, status=None, latency_ms=0, fault="no key is stored")
    client = make(config)
    try:
        return await client.check()
    finally:
        client.close()
