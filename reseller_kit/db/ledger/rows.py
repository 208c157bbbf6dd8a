"""Rows of the hot statements to values and back, in the order of `columns`. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from ...core.ledger import Hold, Lot

Row: TypeAlias = Sequence[Any]

_encode = msgspec.json.Encoder().encode
_decode_allocations = msgspec.json.Decoder(list[tuple[str, int]]).decode


def lot_of(row: Row) -> Lot:
    """The lot of a row as `columns.LOT_READ` names it."""
    models = row[11]
    return Lot(
        id=row[0],
        wallet_id=row[1],
        kind=row[2],
        amount=row[3],
        remaining=row[4],
        reserved=row[5],
        consumed=row[6],
        expired=row[7],
        clawed_back=row[8],
        priority=row[9],
        expires_at=row[10],
        models=() if models == "[]" else tuple(msgspec.json.decode(models)),
        created_at=row[12],
        cash=row[13],
        accrued=row[14],
        daily=row[15],
    )


def lot_row(lot: Lot, tenant_id: int) -> Row:
    """The row of a new lot as `columns.LOT_INSERT` names it."""
    return (
        lot.id,
        tenant_id,
        lot.wallet_id,
        lot.kind,
        lot.amount,
        lot.remaining,
        lot.reserved,
        lot.consumed,
        lot.expired,
        lot.clawed_back,
        lot.priority,
        _encode(lot.models).decode(),
        lot.expires_at,
        lot.created_at,
        lot.cash,
        lot.ref,
        lot.accrued,
        lot.daily,
        lot.remaining == 0,
    )


def hold_of(row: Row) -> Hold:
    """The hold of a row as `columns.HOLD_READ` names it; price versions are not read."""
    return Hold(
        request_id=row[0],
        tenant_id=row[1],
        state=row[2],
        customer_id=row[3],
        wallet_id=row[4],
        reseller_wallet_id=row[5],
        key_id=row[6],
        window_started_at=row[7],
        model=row[8],
        retail_version="",
        wholesale_version="",
        output_limit=row[9],
        retail=row[10],
        wholesale=row[11],
        allocations=_decode_allocations(row[12]),
        created_at=row[13],
    )


def hold_row(hold: Hold, owner: str, epoch: int, call: str | None, kind: str = "call") -> Row:
    """The row of a new hold as `columns.HOLD_INSERT` names it."""
    return (
        hold.request_id,
        hold.tenant_id,
        kind,
        hold.state,
        hold.customer_id,
        hold.wallet_id,
        hold.reseller_wallet_id,
        hold.key_id,
        hold.window_started_at,
        hold.model,
        hold.retail_version,
        hold.wholesale_version,
        hold.output_limit,
        hold.retail,
        hold.wholesale,
        _encode(hold.allocations).decode(),
        owner,
        epoch,
        call,
        None,
        hold.created_at,
        None,
    )
