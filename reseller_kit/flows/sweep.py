"""Resolves the holds of processes that died, and of this one's own calls that nobody works on, exactly once each."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ..core import pricing
from ..core.catalog import PriceVersion
from ..core.errors import ServiceUnavailable
from ..core.ledger import Capture
from ..core.usage import Usage
from ..db import leases, price_versions, schema
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, now_us
from ..db.leases import OrphanHold
from ..db.ledger import Settle, UsageRow
from .accrue import accrue
from .call.job import CallFacts, CheckpointFacts
from .call.settle import quantities_of
from .expire import expire
from .fulfil import fulfil_forgotten
from .kept_responses import drop_expired
from .low_balance import watch_balances
from .orders import lapse_orders
from .runtime import Runtime
from .snapshot import price_list
from .spend_alerts import watch_spending

_log = logging.getLogger(__name__)
_SWEEP_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 10
_EXPIRE_SECONDS: Final = 60
_FORGOTTEN_US: Final = 2_000_000
_AT_ONCE: Final = 200
_LEASE_US: Final = schema.LEASE_SECONDS * 1_000_000


async def keep(runtime: Runtime) -> None:
    """Sweep twice a second for ever.

    Orders that were paid and left by a process that died are credited. Once a minute expire credit, accrue its cash,
    look at resellers' balances and customers' spending, delete responses whose time is over and close orders that
    nobody paid. A fault is logged and tried again.
    """
    expired_at = -math.inf
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await sweep(runtime)
                await fulfil_forgotten(runtime.db, runtime.ledger)
            if time.monotonic() - expired_at >= _EXPIRE_SECONDS:
                await expire(runtime.db, runtime.ledger)
                await accrue(runtime.db, runtime.ledger)
                await watch_balances(runtime.db)
                await watch_spending(runtime.db)
                await drop_expired(runtime.db)
                await lapse_orders(runtime.db)
                expired_at = time.monotonic()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.error("the sweep failed; trying again (%r)", error)
        await asyncio.sleep(_SWEEP_SECONDS)


async def sweep(runtime: Runtime) -> int:
    """Resolve the holds of dead owners, and this process's own that nobody works on; how many."""
    async with runtime.db.read(EVERY_TENANT) as connection:
        stale = await leases.any_stale(connection, runtime.ledger.owner, _LEASE_US)
        forgotten = await _forgotten(runtime, connection)
    if stale:
        async with runtime.db.write(NO_TENANT) as connection:
            await leases.be_brief(connection)
            # Asked only now: the lock may have been waited for, and all leases have grown old meanwhile.
            if _may_judge(runtime):
                await leases.drop_stale(connection, runtime.ledger.owner, _LEASE_US)
    resolved = await _resolve(runtime, forgotten)
    while True:
        async with runtime.db.read(EVERY_TENANT) as connection:
            orphans = await leases.orphan_holds(connection, _AT_ONCE)
        ended = await _resolve(runtime, orphans)
        resolved += ended
        if not ended or len(orphans) < _AT_ONCE:
            break
    if resolved:
        _log.warning("resolved %d holds that nobody worked on any more", resolved)
    return resolved


def _may_judge(runtime: Runtime) -> bool:
    """Whether this process kept its own lease without a gap.

    Behind an outage, or a pause of its own, every lease looks old: whoever lived through it gets the time to renew.
    """
    since_renewal = time.monotonic() - runtime.lease_renewed_at
    return max(runtime.lease_gap, since_renewal) < schema.LEASE_SECONDS


async def _forgotten(runtime: Runtime, connection: Connection) -> list[OrphanHold]:
    """Open holds of this process that no call of its works on, such as one that was refused while it was placed."""
    owner = runtime.ledger.owner
    ids = await leases.open_ids(connection, owner, now_us() - _FORGOTTEN_US)
    lost = [request_id for request_id in ids if request_id not in runtime.active]
    return await leases.open_holds(connection, owner, lost[:_AT_ONCE]) if lost else []


async def _resolve(runtime: Runtime, holds: list[OrphanHold]) -> int:
    """Settle these holds together, so that they share commits; how many it was."""
    if not holds:
        return 0
    prices = await _prices(runtime, holds)
    outcomes = await asyncio.gather(*(_settle(runtime, hold, prices) for hold in holds), return_exceptions=True)
    for hold, outcome in zip(holds, outcomes, strict=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, ServiceUnavailable):
            _log.error("resolving the hold of %s failed", hold.request_id, exc_info=outcome)
    return sum(not isinstance(outcome, BaseException) for outcome in outcomes)


async def _settle(runtime: Runtime, hold: OrphanHold, prices: Mapping[str, Any]) -> None:
    await runtime.ledger.submit(_settle_item(hold, prices))


async def _prices(runtime: Runtime, holds: Iterable[OrphanHold]) -> dict[str, Any]:
    """The price lists that these holds' checkpoints are charged by, by version."""
    wanted: dict[int, set[str]] = {}
    for hold in holds:
        if (seen := _checkpoint(hold)) is not None:
            wanted.setdefault(hold.tenant_id, set()).update(*_versions(hold, seen))
    found: dict[str, Any] = {}
    if wanted:
        async with runtime.db.read(EVERY_TENANT) as connection:
            for tenant_id, ids in wanted.items():
                found |= await price_versions.lists_of(connection, tenant_id, ids)
    return found


def _checkpoint(hold: OrphanHold) -> CheckpointFacts | None:
    return None if hold.checkpoint is None else msgspec.json.decode(hold.checkpoint, type=CheckpointFacts)


def _versions(hold: OrphanHold, seen: CheckpointFacts) -> tuple[list[str], list[str], list[str]]:
    """The price versions of which each level's charge is the lowest."""
    retail, wholesale, fallback = [hold.retail_version], [hold.wholesale_version], seen.fallback
    if fallback is not None:
        retail.append(fallback.retail_version)
        wholesale.append(fallback.wholesale_version)
    return retail, wholesale, [seen.cost_version]


def _settle_item(hold: OrphanHold, prices: Mapping[str, Any]) -> Settle:
    """From the last checkpoint, or void without one."""
    facts = msgspec.json.decode(hold.call, type=CallFacts)
    seen = _checkpoint(hold)
    usage = Usage() if seen is None else seen.usage
    at = now_us()
    charged: list[tuple[str, int]] = [(hold.retail_version, 0), (hold.wholesale_version, 0), ("", 0)]
    if seen is not None:
        quantities = quantities_of(usage)
        charged = [_lowest(versions, prices, quantities) for versions in _versions(hold, seen)]
    retail, wholesale, cost = (amount for _, amount in charged)
    return Settle(
        capture=Capture(request_id=hold.request_id, retail=retail, wholesale=wholesale, cost=cost, at=at),
        usage=_usage_row(hold, facts, seen, usage, charged, at),
        wallet_id=hold.wallet_id,
        reseller_wallet_id=hold.reseller_wallet_id,
        window=(hold.key_id, hold.window_started_at) if hold.window_started_at >= 0 else None,
        final_state="expired",
        owner=hold.owner,
        epoch=hold.epoch,
    )


def _lowest(versions: list[str], prices: Mapping[str, Any], quantities: Mapping[str, int]) -> tuple[str, int]:
    lists = [PriceVersion(id=each, level="", price_list=price_list(prices[each])) for each in versions]
    version, amount = pricing.lowest(lists, quantities)
    return version.id, amount


def _usage_row(
    hold: OrphanHold,
    facts: CallFacts,
    seen: CheckpointFacts | None,
    usage: Usage,
    charged: list[tuple[str, int]],
    at: int,
) -> UsageRow:
    fallback = None if seen is None else seen.fallback
    return UsageRow(
        id=hold.request_id,
        tenant_id=hold.tenant_id,
        customer_id=hold.customer_id,
        key_id=hold.key_id,
        model=facts.model,
        public_model=facts.public_model if fallback is None else fallback.public_model,
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
        retail_nano=charged[0][1],
        wholesale_nano=charged[1][1],
        cost_nano=charged[2][1],
        retail_version=charged[0][0],
        wholesale_version=charged[1][0],
        cost_version=None if seen is None else seen.cost_version,
        attempts=0 if seen is None else seen.attempts,
        latency_ms=(at - hold.created_at) // 1000,
        first_byte_ms=None if seen is None else seen.first_byte_ms,
        delivered_characters=None if seen is None else seen.delivered_characters,
        tokenizer=None if seen is None else seen.tokenizer,
        created_at=hold.created_at,
    )
