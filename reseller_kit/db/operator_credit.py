"""Customers whose credit may have to be told of, across tenants: what runs low, what runs out. Reads only."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import exists, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.times import DAY_US
from . import tables as t
from .credit_alerts import NOTHING, CreditAlert, alert_of

EXPIRING: Final = "credit_expiring"
"""The mail that tells of credit which runs out; `EXPIRING:lot:days` is its key."""


class Spender(Struct, frozen=True, kw_only=True):
    """A customer who spent, or was told that its credit is low: its balance, what it chose and what it last bought."""

    tenant_id: int
    customer_id: str
    balance: int
    alert: CreditAlert
    purchase: int | None


class ExpiringLot(Struct, frozen=True, kw_only=True):
    """Credit that runs out; `left` in nano-USD, `expires_at` in µs."""

    id: str
    tenant_id: int
    customer_id: str
    email: str
    left: int
    expires_at: int
    timezone: str


async def spenders(connection: AsyncConnection, since: int) -> list[Spender]:
    """Whose calls were settled since then (µs), and who was told of a threshold that may be lifted."""
    u, a, x, o = t.usage_record.c, t.credit_alert.c, t.account.c, t.purchase_order.c
    spent = select(u.tenant_id, u.customer_id).where(u.settled_at >= since, u.retail_nano > 0)
    told = select(a.tenant_id, a.customer_id).where(a.told != NOTHING)
    who_rows = union(spent, told).subquery()
    who = who_rows.c
    bought = (
        select(o.credits_nano)
        .where(o.tenant_id == who.tenant_id, o.customer_id == who.customer_id, o.lot_id.is_not(None))
        .order_by(o.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    wallet = (x.tenant_id == who.tenant_id) & (x.kind == "customer_wallet") & (x.owner == who.customer_id)
    alert = (a.customer_id == who.customer_id) & (a.tenant_id == who.tenant_id)
    joined = who_rows.join(t.account, wallet).outerjoin(t.credit_alert, alert)
    columns = (who.tenant_id, who.customer_id, x.balance_nano, a.thresholds, a.told, bought.label("purchase"))
    return [
        Spender(
            tenant_id=row.tenant_id,
            customer_id=row.customer_id,
            balance=row.balance_nano,
            alert=alert_of(row.thresholds, row.told),
            purchase=row.purchase,
        )
        for row in await connection.execute(select(*columns).select_from(joined))
    ]


async def expiring(connection: AsyncConnection, *, now: int, days: int, unwanted: str, limit: int) -> list[ExpiringLot]:
    """Lots that run out on the day that begins `days` - 1 days from `now` (µs), of which nobody was told yet.

    Those of active customers, with something left, older than a day; `unwanted`: mails that customers may have ended.
    The first to run out come first.
    """
    x, a, c, s, o = t.lot.c, t.account.c, t.customer.c, t.tenant.c, t.mail_opt_out.c
    joined = (
        t.lot.join(t.account, a.id == x.wallet_id)
        .join(t.customer, (c.id == a.owner) & (c.tenant_id == a.tenant_id))
        .join(t.tenant, s.id == x.tenant_id)
    )
    key = literal(f"{EXPIRING}:").concat(x.id).concat(f":{days}")
    told = exists().where(t.outbox.c.tenant_id == x.tenant_id, t.outbox.c.dedupe == key)
    ended = exists().where(o.tenant_id == x.tenant_id, o.customer_id == c.id, o.kind == unwanted)
    until = now + days * DAY_US
    columns = (x.id, x.tenant_id, a.owner, c.email, x.remaining_nano, x.expires_at, s.timezone)
    statement = select(*columns).select_from(joined)
    statement = statement.where(
        ~x.used_up, x.expires_at > until - DAY_US, x.expires_at <= until, x.created_at <= now - DAY_US
    )
    statement = statement.where(c.status == "active", s.status == "active", ~told, ~ended)
    rows = await connection.execute(statement.order_by(x.expires_at, x.id).limit(limit))
    return [
        ExpiringLot(
            id=row.id,
            tenant_id=row.tenant_id,
            customer_id=row.owner,
            email=row.email,
            left=row.remaining_nano,
            expires_at=row.expires_at,
            timezone=row.timezone,
        )
        for row in rows
    ]
