"""Which low balances a reseller was told of. Decides nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def open_thresholds(connection: AsyncConnection, tenant_id: int) -> set[int]:
    """The thresholds (nano-USD) that the reseller was told of and whose balance has not been above them since."""
    c = t.balance_notice.c
    rows = await connection.scalars(select(c.threshold_nano).where(c.tenant_id == tenant_id, c.lifted_at.is_(None)))
    return set(rows)


async def open_notice(connection: AsyncConnection, tenant_id: int, threshold: int, balance: int, now: int) -> bool:
    """Note that the balance fell below the threshold; False when that was noted already, by whichever process."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    c = t.balance_notice.c
    row = {"tenant_id": tenant_id, "threshold_nano": threshold, "balance_nano": balance, "told_at": now}
    statement = insert(t.balance_notice).values(row)
    once = statement.on_conflict_do_nothing(
        index_elements=["tenant_id", "threshold_nano"], index_where=c.lifted_at.is_(None)
    )
    return (await connection.execute(once.returning(c.id))).one_or_none() is not None


async def lift(connection: AsyncConnection, tenant_id: int, thresholds: Collection[int], now: int) -> None:
    """Note that the balance is above these thresholds again, so that the next fall is told."""
    c = t.balance_notice.c
    is_open = update(t.balance_notice).where(c.tenant_id == tenant_id, c.lifted_at.is_(None))
    await connection.execute(is_open.where(c.threshold_nano.in_(thresholds)).values(lifted_at=now))
