"""What a batch must lock and read before it can be decided. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from ...core.ledger import Grant, TakeBack, WholesaleMove
from .cold import ColdItem, ColdNeeds, cold_holds, cold_needs, cold_wallets
from .items import Checkpoint, ExpireLots, GrantCredit, Item, MoveWholesale, PlaceHold, Settle, TakeCredit

WindowKey: TypeAlias = tuple[str, int]


class Needs(Struct, frozen=True):
    """Each list sorted, so that the order of locks is the same everywhere.

    `tenants`: whose rows the batch works on, and may see; `txns`: the transactions that a batch which is run again may
    have posted the first time.
    """

    tenants: list[int]
    wallets: list[int]
    windows: list[WindowKey]
    holds: list[str]
    operations: list[tuple[int, str, str]]
    txns: list[str]
    cold: ColdNeeds | None = None


def needs_of(items: Iterable[Item], *, again: bool) -> Needs:
    """What these items need; `again` when each of them may be carried out already."""
    tenants: set[int] = set()
    wallets: set[int] = set()
    windows: set[WindowKey] = set()
    holds: list[str] = []
    operations: set[tuple[int, str, str]] = set()
    cold: list[ColdItem] = []
    for item in items:
        if isinstance(item, PlaceHold):
            request = item.request
            tenants.add(request.tenant_id)
            wallets.add(request.wallet_id)
            wallets.add(request.reseller_wallet_id)
            if request.key_limit is not None:
                windows.add((request.key_id, request.window_started_at))
        elif isinstance(item, Settle):
            tenants.add(item.usage.tenant_id)
            wallets.add(item.wallet_id)
            wallets.add(item.reseller_wallet_id)
            holds.append(item.capture.request_id)
            if item.window is not None:
                windows.add(item.window)
        elif isinstance(item, GrantCredit | TakeCredit | MoveWholesale):
            body = body_of(item)
            tenants.add(body.tenant_id)
            wallets.add(body.wallet_id)
            if item.once is not None:
                operations.add((body.tenant_id, item.once.operation, item.once.key))
        elif isinstance(item, ExpireLots):
            tenants.add(item.tenant_id)
            wallets.add(item.wallet_id)
        elif isinstance(item, Checkpoint):
            tenants.add(item.tenant_id)
        else:
            tenants.add(item.request.tenant_id)
            wallets |= cold_wallets(item)
            holds += cold_holds(item)
            cold.append(item)
    placed, txns = _carried_out(items) if again else ([], [])
    return Needs(
        sorted(tenants),
        sorted(wallets),
        sorted(windows),
        sorted(holds + placed),
        sorted(operations),
        txns,
        cold_needs(cold),
    )


def body_of(item: GrantCredit | TakeCredit | MoveWholesale) -> Grant | TakeBack | WholesaleMove:
    """What is to be posted."""
    if isinstance(item, GrantCredit):
        return item.grant
    return item.take if isinstance(item, TakeCredit) else item.move


def _carried_out(items: Iterable[Item]) -> tuple[list[str], list[str]]:
    """The holds and transactions that these items may have made the first time."""
    holds = [item.request.request_id for item in items if isinstance(item, PlaceHold)]
    posts = [item for item in items if isinstance(item, GrantCredit | TakeCredit | MoveWholesale)]
    return holds, [body_of(item).txn_id for item in posts]
