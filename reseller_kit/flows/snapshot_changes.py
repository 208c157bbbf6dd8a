"""A snapshot from the one before: with one more storefront, or with some read again. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from ..core.storefront import HostEntry, Place, Snapshot
from ..core.tenant import PLATFORM_SLUG
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.snapshot import read_shared, read_tenants
from ..vault import Vault
from . import snapshot as snapshots

MOST_OFFERED: Final = 200_000
"""So many models are kept of storefronts that were read one by one, at some 2.4 kB each."""


async def load_again(db: Database, vault: Vault, before: Snapshot, changed: Collection[int]) -> Snapshot | None:
    """The snapshot as of now where only these tenants changed since `before`: other open storefronts stay as they are.

    None where all have to be read: there are few, or a price took effect meanwhile.
    """
    now = now_us()
    if before.good_until is not None and now >= before.good_until:
        return None
    async with db.read(EVERY_TENANT) as connection:
        shared = await read_shared(connection, now)
        if len(shared.listed) <= snapshots.EAGER:
            return None
        opened = {entry.storefront.tenant_id for entry in before.hosts.values()}
        platform = {row["id"] for row in shared.listed if row["slug"] == PLATFORM_SLUG}
        rows = await read_tenants(connection, shared, opened.intersection(changed) | platform, now)
    fresh = await asyncio.to_thread(snapshots.build, rows, vault)
    kept = {
        host: entry
        for host, entry in before.hosts.items()
        if entry.storefront.tenant_id not in changed and _is_at(entry, fresh.places.get(host))
    }
    return msgspec.structs.replace(fresh, hosts={**kept, **fresh.hosts})


def _is_at(entry: HostEntry, place: Place | None) -> bool:
    """Whether a host still leads there, and the storefront behind it still does what it did."""
    shop = entry.storefront
    return place is not None and (place.tenant_id, place.status, place.suspended, place.role) == (
        shop.tenant_id,
        shop.status,
        shop.suspended,
        entry.role,
    )


def with_storefront(snapshot: Snapshot, hosts: Mapping[str, HostEntry]) -> Snapshot:
    """The same snapshot, in which a storefront was read that was not before. Where it is too much, the first one goes.

    Too much are MOST_OFFERED models of all open storefronts together.
    """
    opened = {**snapshot.hosts, **hosts}
    offered = {host: len(entry.storefront.models) for host, entry in opened.items()}
    surplus = sum(offered.values()) - MOST_OFFERED
    for host in list(opened)[: -len(hosts)] if surplus > 0 else ():
        if surplus <= 0:
            break
        surplus -= offered[host]
        del opened[host]
    return msgspec.structs.replace(snapshot, hosts=opened)
