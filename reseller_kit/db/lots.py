"""One lot and what refunds have taken of it. Reads only; every movement is the ledger writer's."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_parts = msgspec.json.Decoder(list[tuple[str, int]]).decode


class LotFacts(Struct, frozen=True, kw_only=True):
    """A lot with its owner; `taken`: what refunds took of it, `free`: what is neither spent nor held. Nano-USD."""

    id: str
    customer_id: str
    wallet_id: int
    kind: str
    amount: int
    taken: int
    free: int


async def find_lot(connection: AsyncConnection, tenant_id: int, lot_id: str) -> LotFacts | None:
    """The tenant's lot of this id."""
    o, a, c = t.lot.c, t.account.c, t.clawback.c
    taken = func.coalesce(c.free_nano + c.expired_nano + c.debt_nano, 0)
    free = (o.remaining_nano - o.reserved_nano).label("free")
    statement = select(o.id, a.owner, o.wallet_id, o.kind, o.amount_nano, taken.label("taken"), free)
    joined = t.lot.join(t.account, a.id == o.wallet_id).outerjoin(t.clawback, c.lot_id == o.id)
    statement = statement.select_from(joined).where(o.tenant_id == tenant_id, o.id == lot_id)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    return LotFacts(
        id=row.id,
        customer_id=row.owner,
        wallet_id=row.wallet_id,
        kind=row.kind,
        amount=row.amount_nano,
        taken=row.taken,
        free=row.free,
    )


async def lot_of_refund(connection: AsyncConnection, tenant_id: int, refund_id: str) -> str | None:
    """The lot that a pending or answered refund is of: the one of its hold's allocations."""
    h = t.hold.c
    statement = select(h.allocations).where(h.tenant_id == tenant_id, h.request_id == refund_id, h.kind == "refund")
    text = await connection.scalar(statement)
    return None if text is None else _parts(text)[0][0]
