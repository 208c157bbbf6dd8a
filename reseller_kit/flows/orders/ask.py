"""Asks an order's provider what became of its payment, where no word of it has come yet. Believes no browser."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Final

from ...core.errors import KitError
from ...core.order import UNPAID
from ...db import orders
from ...db.engine import Database
from ...db.ledger import LedgerWriter
from ...db.orders import Order
from ..payments import take
from ..providers import DEFAULT, Providers

_log = logging.getLogger(__name__)
_ACTOR: Final = "asked"
_PAUSE_SECONDS: Final = 4.0
_LONGEST_SECONDS: Final = 3.0
_MOST_A_MINUTE: Final = 60
"""Of all orders, in one process: the provider counts the requests of all tenants together."""

_asked: OrderedDict[str, float] = OrderedDict()
"""When the provider was last asked for an order, by this process: somebody who reloads a page does not ask for us."""


async def ask_for(db: Database, ledger: LedgerWriter, providers: Providers, order: Order) -> Order:
    """The order as it is once its provider was asked for its payment; as it was where nothing new is known.

    Asks at most every few seconds for one order. A provider that does not answer is no error: its word comes later.
    """
    if order.provider == DEFAULT or order.state not in UNPAID or order.provider_ref is None or not _may_ask(order.id):
        return order
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            provider = (await providers.named(order.tenant_id, order.provider)).provider
            fact = await provider.fact(order.provider_ref)
        if fact is None or fact.status == "open":
            return order
        await take(db, ledger, tenant_id=order.tenant_id, provider=order.provider, fact=fact, actor=_ACTOR)
    except (KitError, TimeoutError) as error:
        _log.warning("%s: its payment could not be asked for: %s", order.id, repr(error))
    async with db.read(order.tenant_id) as connection:
        return await orders.find(connection, order.tenant_id, order.id) or order


def _may_ask(order_id: str) -> bool:
    now = time.monotonic()
    if len(_asked) >= _MOST_A_MINUTE and now - next(iter(_asked.values())) < 60:
        return False
    if now - _asked.get(order_id, -_PAUSE_SECONDS) < _PAUSE_SECONDS:
        return False
    _asked[order_id] = now
    _asked.move_to_end(order_id)
    while len(_asked) > _MOST_A_MINUTE:
        _asked.popitem(last=False)
    return True
