"""How far a new customer has come, from what really happened. Reads only."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .kept import kept


class Milestones(Struct, frozen=True):
    """Whether a customer's address is verified, credit was ever granted, a key ever made, a call ever made."""

    verified: bool
    credited: bool
    key_made: bool
    called: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.verified and self.credited and self.key_made and self.called


async def milestones(connection: AsyncConnection, tenant_id: int, customer_id: str) -> Milestones:
    """The customer's, in one statement that ends at the first row of each kind."""
    row = (await connection.execute(*_milestones(tenant_id, customer_id))).one_or_none()
    return Milestones(*(bool(value) for value in row)) if row is not None else Milestones(False, False, False, False)


@kept
def _milestones(tenant_id: int, customer_id: str) -> Select[Any]:
    c, lot, key, record = t.customer.c, t.lot.c, t.api_key.c, t.usage_record.c
    columns: tuple[Any, ...] = (
        c.verified_at.is_not(None),
        exists().where(lot.tenant_id == tenant_id, lot.wallet_id == c.wallet_id),
        exists().where(key.tenant_id == tenant_id, key.customer_id == c.id),
        exists().where(record.tenant_id == tenant_id, record.customer_id == c.id),
    )
    return select(*columns).where(c.tenant_id == tenant_id, c.id == customer_id)
