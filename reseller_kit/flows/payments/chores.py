"""What goes on by itself in payments: deliveries are worked in, orders settled, refunds asked for, providers polled.

In every process; each piece of work is claimed by one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

from ...core.errors import KitError
from ...core.ids import new_id
from ...core.times import DAY_US
from ...db import inbox, operator_payments, order_settling, payment_facts
from ...db.engine import EVERY_TENANT, Database, now_us
from ...db.ledger import LedgerWriter
from ...db.operator_payments import ClaimedDelivery
from ..providers import Providers
from .ask import ask_forgotten
from .findings import tell_findings
from .poll import poll_due
from .settle import settle_quietly
from .shapes import heard
from .take import take

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 1.0
_FORGOTTEN_SECONDS: Final = 2.0
_TIDY_SECONDS: Final = 60.0
_TELL_SECONDS: Final = 600.0
_AT_ONCE: Final = 50
_SIDE_BY_SIDE: Final = 8
_BODIES_US: Final = 30 * DAY_US


class Inbox:
    """The part of a process that works deliveries in; `wake` tells it that there is one."""

    def __init__(self, db: Database, ledger: LedgerWriter, providers: Providers) -> None:
        self._db, self._ledger, self._providers = db, ledger, providers
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is a new delivery."""
        self._news.set()

    async def keep(self) -> None:
        """Go on for ever. A fault is logged and tried again."""
        looked_at = tidied_at = polled_at = told_at = -math.inf
        while True:
            try:
                while await work_in(self._db, self._ledger):
                    pass
                if time.monotonic() - looked_at >= _FORGOTTEN_SECONDS:
                    await settle_forgotten(self._db, self._ledger)
                    await ask_forgotten(self._db, self._ledger, self._providers)
                    looked_at = time.monotonic()
                if time.monotonic() - tidied_at >= _TIDY_SECONDS:
                    await tidy(self._db)
                    tidied_at = time.monotonic()
                # One storefront a round, so that deliveries do not wait for all of them.
                night = time.monotonic() - polled_at >= _TIDY_SECONDS
                if night and await poll_due(self._db, self._ledger, self._providers) is None:
                    polled_at = time.monotonic()
                if time.monotonic() - told_at >= _TELL_SECONDS:
                    await tell_findings(self._db)
                    told_at = time.monotonic()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
                _log.error("looking after payments failed; trying again (%r)", error)
                await asyncio.sleep(_PAUSE_SECONDS)
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_PAUSE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()


async def work_in(db: Database, ledger: LedgerWriter) -> int:
    """Claim deliveries that wait and work them in; how many there were."""
    async with db.read(EVERY_TENANT) as connection:
        if not await operator_payments.is_due(connection, now_us()):
            return 0
    async with db.write(EVERY_TENANT) as connection:
        claimed = await operator_payments.claim_deliveries(connection, new_id("clm"), now_us(), _AT_ONCE)
    side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(delivery: ClaimedDelivery) -> None:
        async with side_by_side:
            await _work_in(db, ledger, delivery)

    await asyncio.gather(*(one(delivery) for delivery in claimed))
    return len(claimed)


async def _work_in(db: Database, ledger: LedgerWriter, delivery: ClaimedDelivery) -> None:
    tenant_id, error = delivery.tenant_id, ""
    try:
        fact = heard(delivery.fact)
        actor = f"provider:{delivery.provider}"
        await take(db, ledger, tenant_id=tenant_id, provider=delivery.provider, fact=fact, actor=actor)
    except KitError as refusal:
        error = refusal.message
    except Exception as fault:  # noqa: BLE001  # one bad delivery must not hold up the others; the log says what it was
        _log.exception("%s of tenant %s can't be worked in", delivery.event_id, tenant_id)
        error = type(fault).__name__
    async with db.write(tenant_id) as connection:
        if error:
            await inbox.fail(connection, tenant_id, delivery.id, delivery.claim, error=error, now=now_us())
        else:
            await inbox.complete(connection, tenant_id, delivery.id, delivery.claim, now_us())


async def settle_forgotten(db: Database, ledger: LedgerWriter) -> int:
    """Settle orders whose process died, and such as could not be settled; how many there were."""
    async with db.read(EVERY_TENANT) as connection:
        found = await operator_payments.unsettled(connection, now_us(), _AT_ONCE)
    for one in found:
        await settle_quietly(db, ledger, one.tenant_id, one.id, "sweep")
    return len(found)


async def tidy(db: Database) -> None:
    """Bind what crossed its payment on the way, and forget bodies that are a month old."""
    async with db.read(EVERY_TENANT) as connection:
        loose = await operator_payments.loose_adjustments(connection, _AT_ONCE)
    for tenant_id, provider, payment_ref, order_id in loose:
        async with db.write(tenant_id) as connection:
            await payment_facts.bind_adjustments(connection, tenant_id, provider, payment_ref, order_id)
            await order_settling.bump(connection, tenant_id, order_id)
    async with db.write(EVERY_TENANT) as connection:
        await operator_payments.forget_bodies(connection, now_us() - _BODIES_US, 1_000)
