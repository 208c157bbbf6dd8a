"""A customer's departure when its time has come. Decides no date; what goes is `erasure`'s to know."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import erasure
from . import tables as t


async def depart(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> bool:
    """Delete the personal data of a customer whose time has come; False for one whose has not.

    Receipts that were issued keep their buyer, as tax law may ask; the operator's own erasure takes it from them.
    """
    c = t.customer.c
    closing = (c.tenant_id == tenant_id, c.id == customer_id, c.status == "closing", c.delete_at <= now)
    if await connection.scalar(select(c.id).where(*closing).with_for_update()) is None:
        return False
    person = await erasure.person(connection, tenant_id, customer_id)
    if person is None:
        return False
    await erasure.erase(connection, tenant_id, person, now, receipts=False)
    return True
