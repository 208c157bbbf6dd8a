"""The parameters of the function that writes a batch of calls, as `postgres_sql.WRITE` has them. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..scope import as_array
from .batch import Batch
from .differences import account_rows, lot_floors, lot_rows, wallet_floors, window_ceilings, window_rows
from .memory import Version
from .needs import Needs
from .postgres_arrays import Flat, columns


def arguments(
    batch: Batch,
    needs: Needs,
    versions: Mapping[int, Version],
    window_versions: Sequence[int],
    sinks: Mapping[tuple[int, str], int],
) -> list[Any]:
    """What was decided from memory, at which versions, and what it depends on if that was noted."""
    return [
        as_array(needs.tenants),
        batch.owner,
        batch.epoch,
        Flat(list(versions)),
        *columns(list(versions.values()), 2),
        *columns(needs.windows, 2),
        Flat(window_versions),
        *_written(batch, sinks),
        *_depending(batch, needs, list(versions)),
    ]


def _written(batch: Batch, sinks: Mapping[tuple[int, str], int]) -> list[Flat]:
    records = (
        account_rows(batch.state),
        lot_rows(batch.state),
        batch.hold_inserts,
        batch.txn_rows(),
        batch.entry_rows(sinks),
        batch.usage,
    )
    return [
        *(Flat(tuple(rows)) for rows in records),
        *columns(batch.checkpoint_rows(), 3),
        *columns(batch.hold_updates, 4),
        *columns(batch.state.lot_days(), 4),
        *columns(window_rows(batch), 5),
    ]


def _depending(batch: Batch, needs: Needs, wallets: Sequence[int]) -> list[Flat]:
    """Nothing where it was not noted: then all must be the same."""
    state, floors = batch.state, batch.floors
    if floors is None:
        return [Flat(()) for _ in range(6)]
    return [
        *columns(wallet_floors(state, floors, wallets), 2),
        Flat(window_ceilings(state, floors, needs.windows)),
        *columns(lot_floors(state, floors, wallets), 3),
    ]
