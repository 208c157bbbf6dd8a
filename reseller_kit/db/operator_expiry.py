"""Finds the wallets whose lots have run out, of all tenants at once. Expires nothing."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select

from . import tables as t
from .operator_audit import Connection


class ExpiredWallet(Struct, frozen=True):
    """A wallet with credit that has run out and is not reserved; `share_id` is its reseller's revenue share."""

    tenant_id: int
    wallet_id: int
    share_id: int


async def expired_wallets(connection: Connection, now: int, limit: int) -> list[ExpiredWallet]:
    """At most `limit` such wallets at `now` (µs)."""
    c, a = t.lot.c, t.account.c
    share = (a.tenant_id == c.tenant_id) & (a.kind == "reseller_accrual")
    statement = select(c.tenant_id, c.wallet_id, a.id.label("share_id")).join(t.account, share).distinct()
    statement = statement.where(~c.used_up, c.expires_at <= now, c.remaining_nano > c.reserved_nano)
    rows = await connection.execute(statement.order_by(c.wallet_id).limit(limit))
    return [ExpiredWallet(row.tenant_id, row.wallet_id, row.share_id) for row in rows]
