"""What a batch must lock and read before it can be decided. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from ...core.ledger import Grant, TakeBack, WholesaleMove
from .cold import ClawBack, ColdItem, ColdNeeds, cold_holds, cold_needs, cold_wallets
from .items import (
    AccrueCash,
    Checkpoint,
    ExpireLots,
    GrantCredit,
    Item,
    MoveWholesale,
    PayOut,
    PlaceHold,
    Settle,
    TakeCredit,
)

WindowKey: TypeAlias = tuple[str, int]
Movement: TypeAlias = GrantCredit | TakeCredit | MoveWholesale | PayOut


class Needs(Struct, frozen=True):
    """Each list sorted, so that the order of locks is the same everywhere.

    `tenants`: whose rows the batch works on, and may see; `txns`: the transactions that a batch which is run again may
    have posted the first time; `lots`: those that are read whatever is left of them, beside what wallets can spend.
    """

    tenants: list[int]
    wallets: list[int]
    windows: list[WindowKey]
    holds: list[str]
    operations: list[tuple[int, str, str]]
    txns: list[str]
    lots: list[str]
    cold: ColdNeeds | None = None


def needs_of(items: Iterable[Item], *, again: bool) -> Needs:
    """What these items need; `again` when each of them may be carried out already."""
    tenants: set[int] = set()
    wallets: set[int] = set()
    windows: set[WindowKey] = set()
    holds: list[str] = []
    operations: set[tuple[int, str, str]] = set()
    cold: list[ColdItem] = []
    lots: set[str] = set()
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
        elif isinstance(item, Checkpoint):
            tenants.add(item.tenant_id)
        elif isinstance(item, ExpireLots | AccrueCash):
            tenants.add(item.tenant_id)
            wallets |= {item.wallet_id, item.wallet_id if item.share_id is None else item.share_id}
            lots.update(() if isinstance(item, ExpireLots) else item.lots)
        elif isinstance(item, Movement):
            tenants.add(body_of(item).tenant_id)
            wallets |= _wallets_of(item)
            operations |= _operations_of(item)
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
        sorted(lots),
        cold_needs(cold),
    )


def body_of(item: Movement) -> Grant | TakeBack | WholesaleMove:
    """What is to be posted."""
    if isinstance(item, GrantCredit):
        return item.grant
    return item.take if isinstance(item, TakeCredit) else item.move


def _wallets_of(item: Movement) -> set[int]:
    """The wallet that moves, and the revenue share that a grant's cash may go to."""
    body = body_of(item)
    share = item.grant.accrual_id if isinstance(item, GrantCredit) else None
    return {body.wallet_id} if share is None else {body.wallet_id, share}


def _operations_of(item: Movement) -> set[tuple[int, str, str]]:
    once = item.once
    return set() if once is None else {(body_of(item).tenant_id, once.operation, once.key)}


def _carried_out(items: Iterable[Item]) -> tuple[list[str], list[str]]:
    """The holds and transactions that these items may have made the first time."""
    holds = [item.request.request_id for item in items if isinstance(item, PlaceHold)]
    posts = [body_of(item).txn_id for item in items if isinstance(item, Movement)]
    return holds, posts + [item.request.txn_id for item in items if isinstance(item, ClawBack)]
