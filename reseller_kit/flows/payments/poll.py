"""Asks providers for all that changed, and takes it in as if they had told it. Decides on nothing.

With every webhook lost, the end is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from ...core.errors import KitError
from ...core.ids import new_id
from ...core.payment import Payment
from ...core.times import DAY_US, SECOND_US
from ...db import operator_payments
from ...db.engine import EVERY_TENANT, Database, now_us
from ...db.ledger import LedgerWriter
from ...payments import Provider
from ..providers import Providers
from .failing import tell_of_failure
from .take import follow, is_ours, store

_log = logging.getLogger(__name__)
_OVERLAP_US: Final = DAY_US
"""What a poll looks at again: an object may be written before a moment and be listed behind it."""
_FIRST_US: Final = 30 * DAY_US
_AGAIN_US: Final = 3_600 * SECOND_US


class Poll(Struct, kw_only=True):
    """What asking a provider came to. `new`: not heard of before; `repaired`: another state than was known.

    `lost`: could not be kept, so the provider has to be asked for it again.
    """

    tenant: str
    provider: str
    seen: int = 0
    new: int = 0
    repaired: int = 0
    unmatched: int = 0
    review: int = 0
    lost: int = 0


Progress = Callable[[Poll], None]


async def poll(
    db: Database,
    ledger: LedgerWriter,
    provider: Provider,
    *,
    tenant_id: int,
    tenant: str,
    since: int,
    actor: str,
    progress: Progress | None = None,
) -> Poll:
    """Take in the state of every object that changed since then (µs). Raises ServiceUnavailable.

    One that makes trouble does not keep the others from being taken in: the log says which, and what is stored of an
    order that could not be settled is left to the sweep.
    """
    report = Poll(tenant=tenant, provider=provider.name)
    async for fact in provider.facts(since):
        async with db.read(tenant_id) as connection:
            if not await is_ours(connection, tenant_id, provider, fact):
                continue
        report.seen += 1
        try:
            async with db.write(tenant_id) as connection:
                taken = await store(connection, tenant_id, provider.name, fact)
        except Exception as error:  # noqa: BLE001  # one bad object must not hold up the others; the log says which
            _log.error("%s of tenant %s could not be kept (%r)", fact.ref, tenant_id, error)
            report.lost += 1
            continue
        try:
            await follow(db, ledger, taken, tenant_id=tenant_id, provider=provider.name, fact=fact, actor=actor)
        except Exception as error:  # noqa: BLE001  # it is stored, and the sweep settles its order
            _log.error("%s of tenant %s could not be settled (%r)", fact.ref, tenant_id, error)
        report.new += taken.new
        report.repaired += taken.changed and not taken.new
        if isinstance(fact, Payment) and taken.problem:
            report.unmatched += 1
        if progress is not None:
            progress(report)
    return report


async def poll_due(db: Database, ledger: LedgerWriter, providers: Providers) -> int | None:
    """Ask the provider of one tenant whose night it is, claimed by one process; how many objects it told of.

    None where there was nobody to ask: whoever gets a number asks again soon, so that a night is enough for everybody.
    """
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        payable = await operator_payments.payable_tenants(connection)
        known = await operator_payments.polled(connection)
    fresh = {tenant_id: provider for tenant_id, provider in payable.items() if (tenant_id, provider) not in known}
    if not fresh and min(known.values(), default=now + 1) > now:
        return None
    async with db.write(EVERY_TENANT) as connection:
        await operator_payments.begin_polls(connection, fresh, polled_to=now - _FIRST_US, due_at=now + _night(now))
        due = await operator_payments.claim_poll(connection, new_id("clm"), now)
    if due is None:
        return None
    polled_to, due_at, seen, failure = due.polled_to, now + _AGAIN_US, 0, None
    try:
        if payable.get(due.tenant_id) == due.provider:
            provider = (await providers.named(due.tenant_id, due.provider)).provider
            since = due.polled_to - _OVERLAP_US
            found = await poll(db, ledger, provider, tenant_id=due.tenant_id, tenant="", since=since, actor="reconcile")
            seen = found.seen
            failure = f"{found.lost} objects could not be taken in." if found.lost else None
            _log.info("asked %s of tenant %s: %s", due.provider, due.tenant_id, found)
        if failure is None:
            polled_to, due_at = now, now + _night(now)
    except KitError as error:
        failure = error.message
    except Exception as error:  # noqa: BLE001  # whatever it was, somebody hears of it and it is tried again
        failure = f"It failed ({type(error).__name__})."
    async with db.write(EVERY_TENANT) as connection:
        await operator_payments.end_poll(
            connection, due, polled_to=polled_to, due_at=due_at, failure=failure, now=now_us()
        )
        if failure is not None:
            _log.warning("%s of tenant %s can't be asked: %s", due.provider, due.tenant_id, failure)
            await tell_of_failure(connection, due, failure, now_us())
    return seen


def _night(now: int) -> int:
    """From now until about three in the morning, UTC; each day once."""
    into_day = now % DAY_US
    at = 3 * 3_600 * SECOND_US
    return at - into_day if into_day < at else DAY_US + at - into_day
