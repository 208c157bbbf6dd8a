"""The parameters of the function that writes a batch whose wallets nobody else writes. Decides nothing.

In the order of `postgres_sql.WRITE_ALONE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..scope import as_array
from .batch import Batch
from .differences import account_rows, lot_rows, window_rows
from .memory import Version
from .needs import Needs
from .postgres_arrays import array, transposed
from .rows import Row
from .state import State


def writes_all(batch: Batch, needs: Needs) -> bool:
    """Whether it writes each row that it is decided on: only then is a write all that has to be locked."""
    state = batch.state
    return len(state.changed_wallets()) == len(needs.wallets) and len(state.changed_windows()) == len(needs.windows)


def arguments(
    batch: Batch, needs: Needs, versions: Mapping[int, Version], sinks: Mapping[tuple[int, str], int]
) -> list[Any]:
    """What was decided from memory, with the version of each row that it was worked out from."""
    state = batch.state
    windows = batch.state.window_versions
    alone = _only_lots(state)
    records: tuple[list[Row], ...] = (
        [(versions[row[3]][0], *row) for row in account_rows(state)],
        [
            (windows[key, at], spent, reserved, key, at, tenant)
            for key, at, tenant, spent, reserved in window_rows(batch)
        ],
        [(versions[row[7]][1] if row[7] in alone else None, *row) for row in lot_rows(state)],
        state.lot_days(),
    )
    several = [(id_, newest) for id_, (_, newest) in versions.items() if newest is not None and id_ not in alone]
    written = (batch.checkpoint_rows(), batch.hold_inserts, batch.hold_updates, batch.txn_rows())
    return [
        as_array(needs.tenants),
        batch.owner,
        batch.epoch,
        *map(array, records),
        *(transposed(several) or (None, None)),
        *map(array, written),
        *map(array, _entries(batch, sinks)),
        array(batch.usage),
    ]


def _only_lots(state: State) -> set[int]:
    """The wallets all of whose lots are one that is written."""
    lots = state.lots
    return {lot.wallet_id for lot in state.changed_lots() if len(lots[lot.wallet_id]) == 1}


def _entries(batch: Batch, sinks: Mapping[tuple[int, str], int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Each one's transaction, by its place from 1, its line, account and amount."""
    places: list[int] = []
    lines: list[int] = []
    accounts: list[int] = []
    amounts: list[int] = []
    for place, txn in enumerate(batch.txns, 1):
        entries, tenant_id = txn.entries, txn.tenant_id
        places += [place] * len(entries)
        lines += range(len(entries))
        for entry in entries:
            account_id = entry.wallet_id
            accounts.append(sinks[tenant_id, entry.account] if account_id is None else account_id)
            amounts.append(entry.amount)
    return places, lines, accounts, amounts
