"""Use cases of the operator on upstreams: list them with their keys, check these, let parked ones go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from ..core.errors import NotFound
from ..core.storefront import UpstreamConfig
from ..core.upstream_keys import KeyState
from ..db import audit_log, operator_upstreams, revisions, upstream_keys, upstreams
from ..db.engine import EVERY_TENANT, Connection, Database
from ..db.upstreams import Upstream as StoredUpstream
from ..upstream.base import Check, Upstream
from ..vault import Vault
from . import snapshot
from .key_checks import try_again
from .upstream_keys import REVISION


class ListedUpstream(Struct, frozen=True, kw_only=True):
    """An upstream and what is known of its keys, by fingerprint; one without a state is used."""

    stored: StoredUpstream
    states: dict[str, KeyState]


class Checked(Struct, frozen=True, kw_only=True):
    """How a check went, and the fingerprints of parked keys that are tried again because of it."""

    check: Check
    unparked: tuple[str, ...] = ()


async def list_upstreams(db: Database) -> list[ListedUpstream]:
    """Every upstream of the operator's, and then of resellers' own, by name."""
    async with db.read(EVERY_TENANT) as connection:
        stored = await _every(connection)
        states = await upstream_keys.states(connection)
    return [ListedUpstream(stored=each, states=states.get(each.name, {})) for each in stored]


async def check_upstreams(
    db: Database, vault: Vault, make: Callable[[UpstreamConfig], Upstream], name: str | None
) -> list[Checked]:
    """Ask each active upstream, or one, with every key for something free of charge.

    A parked key that is taken is tried again. Raises NotFound for an unknown name.
    """
    configs = (await snapshot.load(db, vault)).upstreams
    if name is not None and name not in configs:
        raise _unknown(name, list(configs))
    chosen = [configs[each] for each in sorted(configs) if name in {None, each}]
    checks = await asyncio.gather(*(_check(make, config) for config in chosen))
    return [await _let_go_of_the_good(db, check) for check in checks]


async def unpark(db: Database, name: str, fingerprint: str | None, actor: str) -> list[str]:
    """Use an upstream's keys, or one, again whatever was seen of them; the fingerprints of those that were not used.

    Raises NotFound for an unknown upstream, and for a key that it does not have.
    """
    async with db.write(EVERY_TENANT) as connection:
        stored = {each.name: each for each in await _every(connection)}
        if name not in stored:
            raise _unknown(name, list(stored))
        pool = [key.fingerprint for key in stored[name].keys]
        if fingerprint is not None and fingerprint not in pool:
            raise NotFound(
                f"Upstream {name} has no key {fingerprint[:80]!r}.", fix=f"It has: {', '.join(pool) or 'none yet'}."
            )
        await revisions.bump(connection, REVISION, name)
        released = await upstream_keys.let_go(connection, name, fingerprint)
        for each in released:
            await audit_log.record(connection, None, actor, "upstream.unpark", "upstream", f"{name}/{each}")
    return released


async def _every(connection: Connection) -> list[StoredUpstream]:
    """The operator's, and then resellers' own."""
    return [*await upstreams.every(connection), *await operator_upstreams.own_upstreams(connection)]


def _unknown(name: str, known: Sequence[str]) -> NotFound:
    return NotFound(f"There is no upstream {name[:80]!r}.", fix=f"There is: {', '.join(known) or 'none yet'}.")


async def _check(make: Callable[[UpstreamConfig], Upstream], config: UpstreamConfig) -> Check:
    if not config.api_keys:
        return Check(upstream=config.name, keys=())
    client = make(config)
    try:
        return await client.check()
    finally:
        client.close()


async def _let_go_of_the_good(db: Database, check: Check) -> Checked:
    good = [key.fingerprint for key in check.keys if not key.fault]
    return Checked(check=check, unparked=tuple([key for key in good if await try_again(db, check.upstream, key)]))
