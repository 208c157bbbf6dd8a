"""Keeps this process's lease and resolves the holds of processes that died, exactly once each."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

import msgspec

from ..core import pricing
from ..core.errors import ServiceUnavailable
from ..core.ledger import Capture
from ..core.usage import Usage
from ..db import leases, price_versions, schema
from ..db.engine import EVERY_TENANT, NO_TENANT, now_us
from ..db.leases import OrphanHold
from ..db.ledger import Settle, UsageRow
from .accrue import accrue
from .call.job import CallFacts, CheckpointFacts
from .call.settle import quantities_of
from .expire import expire
from .low_balance import watch_balances
from .runtime import Runtime
from .snapshot import price_list

_log = logging.getLogger(__name__)
_RENEW_SECONDS: Final = 1
_EXPIRE_SECONDS: Final = 60
_FORGOTTEN_US: Final = 30_000_000
_AT_ONCE: Final = 200


async def take_lease(runtime: Runtime) -> None:
    """This process's first lease, under the writer's owner and epoch."""
    async with runtime.db.write(NO_TENANT) as connection:
        await leases.take(connection, runtime.ledger.owner, runtime.ledger.epoch, schema.head())


async def keep(runtime: Runtime) -> None:
    """Renew the lease each second for ever and sweep behind it.

    Once a minute expire credit, accrue its cash and look at resellers' balances. A fault is logged and tried again.
    """
    expired_at = -math.inf
    while True:
        try:
            await _renew(runtime)
            await sweep(runtime)
            if time.monotonic() - expired_at >= _EXPIRE_SECONDS:
                await expire(runtime.db, runtime.ledger)
                await accrue(runtime.db, runtime.ledger)
                await watch_balances(runtime.db)
                expired_at = time.monotonic()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("the sweep failed; trying again")
        await asyncio.sleep(_RENEW_SECONDS)


async def give_back(runtime: Runtime) -> None:
    """Drop the lease at a clean end."""
    async with runtime.db.write(NO_TENANT) as connection:
        await leases.release(connection, runtime.ledger.owner)


async def sweep(runtime: Runtime) -> int:
    """Resolve the holds of dead owners, and this process's own that nobody works on; how many."""
    async with runtime.db.write(NO_TENANT) as connection:
        await leases.drop_stale(connection, schema.LEASE_SECONDS * 1_000_000)
    async with runtime.db.read(EVERY_TENANT) as connection:
        orphans = await leases.orphan_holds(connection, _AT_ONCE)
        own = await leases.open_holds(connection, runtime.ledger.owner, now_us() - _FORGOTTEN_US)
    forgotten = [hold for hold in own if hold.request_id not in runtime.active]
    resolved = 0
    for hold in (*orphans, *forgotten):
        resolved += await _resolve(runtime, hold)
    if resolved:
        _log.warning("resolved %d holds that nobody worked on any more", resolved)
    return resolved


async def _renew(runtime: Runtime) -> None:
    ledger = runtime.ledger
    async with runtime.db.write(NO_TENANT) as connection:
        if await leases.renew(connection, ledger.owner, ledger.epoch):
            return
        # Another process took us for dead and resolves our holds; begin again under the next epoch.
        await leases.take(connection, ledger.owner, ledger.epoch + 1, schema.head())
    ledger.epoch += 1
    _log.warning("the lease had run out; began epoch %d", ledger.epoch)


async def _resolve(runtime: Runtime, hold: OrphanHold) -> int:
    try:
        item = await _settle_item(runtime, hold)
        await runtime.ledger.submit(item)
    except ServiceUnavailable:
        return 0
    except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
        _log.exception("resolving the hold of %s failed", hold.request_id)
        return 0
    return 1


async def _settle_item(runtime: Runtime, hold: OrphanHold) -> Settle:
    """From the last checkpoint, or void without one."""
    facts = msgspec.json.decode(hold.call, type=CallFacts)
    seen = None if hold.checkpoint is None else msgspec.json.decode(hold.checkpoint, type=CheckpointFacts)
    usage = Usage() if seen is None else seen.usage
    at = now_us()
    retail = wholesale = cost = 0
    if seen is not None:
        ids = (hold.retail_version, hold.wholesale_version, seen.cost_version)
        async with runtime.db.read(hold.tenant_id) as connection:
            lists = await price_versions.lists_of(connection, hold.tenant_id, ids)
        retail, wholesale, cost = (pricing.charge(price_list(lists[name]), quantities_of(usage)) for name in ids)
    return Settle(
        capture=Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=cost, at=at),
        usage=_usage_row(hold, facts, seen, usage, (retail, wholesale, cost), at),
        wallet_id=hold.wallet_id,
        reseller_wallet_id=hold.reseller_wallet_id,
        window=(hold.key_id, hold.window_started_at) if hold.window_started_at >= 0 else None,
        final_state="expired",
        owner=hold.owner,
        epoch=hold.epoch,
    )


def _usage_row(
    hold: OrphanHold,
    facts: CallFacts,
    seen: CheckpointFacts | None,
    usage: Usage,
    amounts: tuple[int, int, int],
    at: int,
) -> UsageRow:
    return UsageRow(
        id=hold.request_id,
        tenant_id=hold.tenant_id,
        customer_id=hold.customer_id,
        key_id=hold.key_id,
        model=facts.model,
        public_model=facts.public_model,
        upstream=None if seen is None else seen.upstream,
        upstream_model=None if seen is None else seen.upstream_model,
        dialect=facts.dialect,
        stream=facts.stream,
        status="failed" if seen is None else "cut",
        http_status=503 if seen is None else 200,
        quantities=msgspec.json.encode(quantities_of(usage)).decode(),
        reasoning_tokens=usage.reasoning_tokens,
        usage_source="estimated",
        usage_capped=False,
        retail_nano=amounts[0],
        wholesale_nano=amounts[1],
        cost_nano=amounts[2],
        retail_version=hold.retail_version,
        wholesale_version=hold.wholesale_version,
        cost_version=None if seen is None else seen.cost_version,
        attempts=0 if seen is None else seen.attempts,
        latency_ms=(at - hold.created_at) // 1000,
        first_byte_ms=None if seen is None else seen.first_byte_ms,
        delivered_characters=None if seen is None else seen.delivered_characters,
        tokenizer=None if seen is None else seen.tokenizer,
        created_at=hold.created_at,
    )
