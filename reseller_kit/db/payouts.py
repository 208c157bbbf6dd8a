"""A reseller's revenue share and the payouts of it. Posts nothing: an approval is the ledger writer's."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from ..core.wholesale import Share
from . import tables as t

OPEN: Final = "requested"
_LONGEST_CALL_US: Final = 86_400_000_000


class Payout(Struct, frozen=True, kw_only=True):
    """A payout as stored. Nano-USD, times in µs. `state`: requested | approved | rejected | paid."""

    id: str
    tenant_id: int
    amount_nano: int
    state: str
    txn_id: str | None
    reference: str
    reject_reason: str
    requested_at: int
    approved_at: int | None
    rejected_at: int | None
    paid_at: int | None


async def share(connection: AsyncConnection, tenant_id: int, matured_before: int) -> Share:
    """The reseller's revenue share; what was posted after `matured_before` (µs) is recent."""
    a, p = t.account.c, t.payout.c
    found = select(a.id, a.balance_nano, a.reserved_nano).where(a.tenant_id == tenant_id, a.kind == "reseller_accrual")
    account = (await connection.execute(found)).one()
    waiting = select(func.sum(p.amount_nano)).where(p.tenant_id == tenant_id, p.state == OPEN)
    return Share(
        balance=account.balance_nano,
        reserved=account.reserved_nano,
        recent=await _recent(connection, tenant_id, account.id, matured_before),
        requested=int(await connection.scalar(waiting) or 0),
    )


async def lock_share(connection: AsyncConnection, tenant_id: int) -> None:
    """Let one request in at a time; calls wait for it too. On SQLite the transaction itself does."""
    a = t.account.c
    statement = select(a.id).where(a.tenant_id == tenant_id, a.kind == "reseller_accrual")
    await connection.execute(statement.with_for_update())


async def add(connection: AsyncConnection, tenant_id: int, payout_id: str, amount: int, now: int) -> None:
    """A payout that waits to be approved."""
    row = {"id": payout_id, "tenant_id": tenant_id, "amount_nano": amount, "state": OPEN, "requested_at": now}
    await connection.execute(insert(t.payout).values(row))


async def find(connection: AsyncConnection, tenant_id: int, payout_id: str) -> Payout | None:
    """One of the tenant's payouts."""
    c = t.payout.c
    rows = await connection.execute(select(t.payout).where(c.tenant_id == tenant_id, c.id == payout_id))
    row = rows.mappings().one_or_none()
    return None if row is None else Payout(**row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[Payout]:
    """The tenant's payouts, newest first; only those before the row `before_id`, if given."""
    c = t.payout.c
    statement = select(t.payout).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Payout(**row) for row in rows.mappings()]


async def reject(connection: AsyncConnection, tenant_id: int, payout_id: str, reason: str, now: int) -> bool:
    """Close a request; False unless it was open."""
    c = t.payout.c
    statement = update(t.payout).where(c.tenant_id == tenant_id, c.id == payout_id, c.state == OPEN)
    done = await connection.execute(statement.values(state="rejected", reject_reason=reason, rejected_at=now))
    return done.rowcount == 1


async def mark_paid(connection: AsyncConnection, tenant_id: int, payout_id: str, reference: str, now: int) -> bool:
    """Note that the bank has paid it; False unless it was approved and not paid."""
    c = t.payout.c
    statement = update(t.payout).where(c.tenant_id == tenant_id, c.id == payout_id, c.state == "approved")
    done = await connection.execute(statement.values(state="paid", reference=reference, paid_at=now))
    return done.rowcount == 1


async def _recent(connection: AsyncConnection, tenant_id: int, account_id: int, since: int) -> int:
    """What the share's entries after `since` sum to, payouts left out. Ids are in order of time: a range of the key."""
    x, e = t.txn.c, t.entry.c
    joined = t.entry.join(t.txn, x.id == e.txn_id)
    total = (
        select(func.sum(e.amount_nano))
        .select_from(joined)
        .where(
            e.txn_id >= lowest_id("txn", since - _LONGEST_CALL_US),
            e.tenant_id == tenant_id,
            e.account_id == account_id,
            x.created_at > since,
            x.code != "payout",
        )
    )
    return int(await connection.scalar(total) or 0)
