"""A captured call as the books have it: what it was charged, from which lots, and its entries. Changes nothing."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ledger import WALLET_KINDS, Entry, call_txn_id
from . import tables as t

_parts = msgspec.json.Decoder(list[tuple[str, int]]).decode


class CallFacts(Struct, frozen=True, kw_only=True):
    """A call's hold and how it ended. `overage` is None when the call stayed within its hold, or is older than that.

    `retail` is what was charged, `allocations` what was reserved on which lot in the order of consumption.
    """

    state: str
    customer_id: str
    wallet_id: int
    retail: int
    allocations: list[tuple[str, int]]
    overage: list[tuple[str, int]] | None
    entries: tuple[Entry, ...]


async def find_call(connection: AsyncConnection, tenant_id: int, request_id: str) -> CallFacts | None:
    """The tenant's call of this id; None when there is none."""
    h, u, o = t.hold.c, t.usage_record.c, t.overage.c
    joined = t.hold.outerjoin(t.usage_record, u.id == h.request_id).outerjoin(t.overage, o.request_id == h.request_id)
    statement = select(h.state, h.customer_id, h.wallet_id, u.retail_nano, h.allocations, o.parts)
    statement = statement.select_from(joined).where(
        h.tenant_id == tenant_id, h.request_id == request_id, h.kind == "call"
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    return CallFacts(
        state=row.state,
        customer_id=row.customer_id,
        wallet_id=row.wallet_id,
        retail=row.retail_nano or 0,
        allocations=_parts(row.allocations),
        overage=None if row.parts is None else _parts(row.parts),
        entries=await _entries(connection, tenant_id, call_txn_id(request_id)),
    )


async def _entries(connection: AsyncConnection, tenant_id: int, txn_id: str) -> tuple[Entry, ...]:
    e, a = t.entry.c, t.account.c
    statement = select(a.kind, a.id, e.amount_nano).join(t.account, a.id == e.account_id)
    rows = await connection.execute(statement.where(e.tenant_id == tenant_id, e.txn_id == txn_id).order_by(e.line))
    return tuple(Entry(row.kind, row.id if row.kind in WALLET_KINDS else None, row.amount_nano) for row in rows)
