"""What a batch changed as differences, what it depends on beside them, and what others did meanwhile. Decides nothing.

Several processes write the same wallets: each adds what its own calls take, and learns from the answer what there was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.ledger import Floors
from .batch import Batch
from .needs import WindowKey
from .rows import Row
from .state import State

_ANY: Final = -(2**63)
"""Where no hold was placed, it does not matter how little is left."""


class Found(Struct, frozen=True):
    """What others wrote since it was remembered, as it was before this batch was written.

    Each row begins with its place among the parameters, from 1. `wallets`: balance, reserved; `lots`: as
    `columns.LOT_CHANGED`; `windows`: spent, reserved. None where nothing is new.
    """

    wallets: Sequence[Row] | None
    lots: Sequence[Row] | None
    windows: Sequence[Row] | None


def account_rows(state: State) -> list[Row]:
    """(balance, reserved, debt, id, tenant_id) of each wallet that changed; the amounts are what is added."""
    rows: list[Row] = []
    for w in state.changed_wallets():
        balance, reserved, debt = state.before_wallets[w.id]
        rows.append((w.balance - balance, w.reserved - reserved, w.debt - debt, w.id, w.tenant_id))
    return rows


def lot_rows(state: State) -> list[Row]:
    """(remaining, reserved, consumed, expired, clawed_back, accrued, id, wallet_id), as differences."""
    rows: list[Row] = []
    for x in state.changed_lots():
        remaining, reserved, consumed, expired, clawed_back, accrued = state.before_lots[x.id]
        rows.append(
            (
                x.remaining - remaining,
                x.reserved - reserved,
                x.consumed - consumed,
                x.expired - expired,
                x.clawed_back - clawed_back,
                x.accrued - accrued,
                x.id,
                x.wallet_id,
            )
        )
    return rows


def window_rows(batch: Batch) -> list[Row]:
    """(key_id, started_at, tenant_id, spent, reserved) of each key window that changed, as differences."""
    changed = batch.state.changed_windows()
    tenants = batch.key_tenants() if changed else {}
    rows: list[Row] = []
    for w in changed:
        spent, reserved = batch.state.before_windows[w.key_id, w.started_at]
        rows.append((w.key_id, w.started_at, tenants[w.key_id], w.spent - spent, w.reserved - reserved))
    return rows


def wallet_floors(state: State, floors: Floors, wallets: Sequence[int]) -> list[Row]:
    """(balance, least) of each wallet: as remembered, and what must be free; None for one that must be the same."""
    rows: list[Row] = []
    for wallet_id in wallets:
        balance, reserved, _ = state.before_wallets[wallet_id]
        left = floors.wallets.get(wallet_id)
        least = _ANY if left is None else balance - reserved - left
        rows.append((balance, None if wallet_id in floors.exact else least))
    return rows


def lot_floors(state: State, floors: Floors, wallets: Sequence[int]) -> list[Row]:
    """(wallet_id, id, least) of all lots of these wallets that are remembered: what must be free of each."""
    rows: list[Row] = []
    for wallet_id in wallets:
        for lot in state.lots.get(wallet_id, ()):
            remaining, reserved, *_ = state.before_lots[lot.id]
            left = floors.lots.get(lot.id)
            rows.append((wallet_id, lot.id, _ANY if left is None else remaining - reserved - left))
    return rows


def window_ceilings(state: State, floors: Floors, windows: Sequence[WindowKey]) -> list[int | None]:
    """What may be spent and reserved of each key window at most; None for one that must be the same."""
    most: list[int | None] = []
    for key in windows:
        left = floors.windows.get(key)
        used = sum(state.before_windows[key])
        most.append(None if key in floors.exact_windows else -_ANY - 1 if left is None else used + left)
    return most


def learn(state: State, found: Found, windows: Sequence[WindowKey]) -> None:
    """Take over what others did: the state becomes what the database has, now that the batch is written there.

    Versions stay as they are. What this batch did not write itself counts as written by others once more.
    """
    wallets = list(state.versions)
    for place, balance, reserved in found.wallets or ():
        wallet_id = wallets[place - 1]
        wallet, before = state.wallets[wallet_id], state.before_wallets[wallet_id]
        wallet.balance += balance - before[0]
        wallet.reserved += reserved - before[1]
    if found.lots:
        _learn_lots(state, wallets, found.lots)
    for place, spent, reserved in found.windows or ():
        key = windows[place - 1]
        before_spent, before_reserved = state.before_windows[key]
        state.windows[key].spent += spent - before_spent
        state.windows[key].reserved += reserved - before_reserved


def _learn_lots(state: State, wallets: Sequence[int], found: Sequence[Row]) -> None:
    lots = [lot for wallet_id in wallets for lot in state.lots.get(wallet_id, ())]
    for place, remaining, reserved, consumed, expired, clawed_back, accrued in found:
        lot = lots[place - 1]
        before = state.before_lots[lot.id]
        lot.remaining += remaining - before[0]
        lot.reserved += reserved - before[1]
        lot.consumed += consumed - before[2]
        lot.expired += expired - before[3]
        lot.clawed_back += clawed_back - before[4]
        lot.accrued += accrued - before[5]
