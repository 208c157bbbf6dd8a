"""What a tenant sold in a stretch of time, receipt by receipt, and what went back of it. Reads only; sums nothing."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_BACK: Final = ("refund_part", "refund", "charge_back", "reinstate")


class Sold(Struct, frozen=True, kw_only=True):
    """A sale as its receipt states it, or something that happened to its payment later.

    `event`: sale | refund_part | refund | charge_back | reinstate; `amount`: what went back or came again, in decimal
    USD before tax, "" of a sale. `price` is nano-USD, `at` µs.
    """

    event: str
    at: int
    order_id: str
    provider: str
    reference: str
    price: int
    year: int
    number: int
    content: dict[str, Any]
    amount: str = ""

    @property
    def receipt(self) -> str:
        """The receipt's number as people read it."""
        return f"{self.year}-{self.number:05d}"


async def sold(connection: AsyncConnection, tenant_id: int, since: int, until: int) -> list[Sold]:
    """Sales that were credited then, and what went back then of sales of any time; oldest first."""
    o, r, e = t.purchase_order.c, t.receipt.c, t.order_event.c
    columns = (o.id, o.provider, o.provider_ref, o.price_nano, r.year, r.number, r.content)
    joined = t.receipt.join(t.purchase_order, (o.id == r.order_id) & (o.tenant_id == r.tenant_id))
    own = (r.tenant_id == tenant_id, o.tenant_id == tenant_id)
    issued = select(*columns, r.issued_at.label("at")).select_from(joined).where(*own)
    back = (
        select(*columns, e.created_at.label("at"), e.event, e.facts)
        .select_from(joined.join(t.order_event, (e.order_id == r.order_id) & (e.tenant_id == r.tenant_id)))
        .where(*own, e.tenant_id == tenant_id, e.event.in_(_BACK), e.created_at >= since, e.created_at < until)
        .order_by(e.id)
    )
    sales = await connection.execute(issued.where(r.issued_at >= since, r.issued_at < until).order_by(r.number))
    lines = [_line(row, "sale", "") for row in sales]
    lines += [
        _line(row, row.event, str(row.facts["amount"]))
        for row in await connection.execute(back)
        if row.facts.get("amount")
    ]
    return sorted(lines, key=lambda line: line.at)


def _line(row: Any, event: str, amount: str) -> Sold:
    return Sold(
        event=event,
        at=row.at,
        order_id=row.id,
        provider=row.provider,
        reference=row.provider_ref or "",
        price=row.price_nano,
        year=row.year,
        number=row.number,
        content=row.content,
        amount=amount,
    )
