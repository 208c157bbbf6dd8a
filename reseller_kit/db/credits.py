"""A customer's credit as stored: wallet, lots, history. Reads only; every movement is the ledger writer's."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, Select, case, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ledger import Lot, Wallet
from . import tables as t
from .kept import kept

MAX_LOTS: Final = 1000
"""Most lots that are read of one wallet; those with something left come first."""


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One transaction as a wallet saw it. Amounts in nano-USD; `created_at` in µs."""

    id: str
    created_at: int
    code: str
    ref: str
    amount: int
    balance_after: int | None


async def wallet_with_lots(connection: AsyncConnection, tenant_id: int, wallet_id: int) -> tuple[Wallet, list[Lot]]:
    """A wallet and its lots, newest first, in one statement so that they fit together on every backend."""
    rows = (await connection.execute(*_wallet_with_lots(tenant_id, wallet_id))).all()
    first = rows[0]
    wallet = Wallet(
        id=wallet_id,
        tenant_id=tenant_id,
        balance=first.balance_nano,
        reserved=first.reserved_nano,
        debt=first.debt_nano,
    )
    lots = [
        Lot(
            id=row.id,
            wallet_id=wallet_id,
            kind=row.kind,
            amount=row.amount_nano,
            remaining=row.remaining_nano,
            reserved=row.lot_reserved_nano,
            consumed=row.consumed_nano,
            expired=row.expired_nano,
            clawed_back=row.clawed_back_nano,
            priority=row.priority,
            expires_at=row.expires_at,
            models=tuple(row.models),
            created_at=row.created_at,
            daily=row.daily_nano,
            day=row.day or 0,
            used=row.used_nano or 0,
        )
        for row in rows
        if row.id is not None
    ]
    return wallet, sorted(lots, key=lambda lot: lot.id, reverse=True)


@kept
def _wallet_with_lots(tenant_id: int, wallet_id: int) -> Select[Any]:
    a, x, d = t.account.c, t.lot.c, t.lot_day.c
    joined = t.account.outerjoin(t.lot, (x.wallet_id == a.id) & (x.tenant_id == a.tenant_id))
    joined = joined.outerjoin(t.lot_day, (d.lot_id == x.id) & (d.tenant_id == x.tenant_id))
    wallet_columns = (a.balance_nano, a.reserved_nano, a.debt_nano)
    lot_columns = (
        x.id,
        x.kind,
        x.amount_nano,
        x.remaining_nano,
        x.reserved_nano.label("lot_reserved_nano"),
        x.consumed_nano,
        x.expired_nano,
        x.clawed_back_nano,
        x.priority,
        x.expires_at,
        x.models,
        x.created_at,
        x.daily_nano,
        d.day,
        d.used_nano,
    )
    statement = select(*wallet_columns, *lot_columns).select_from(joined)
    statement = statement.where(a.tenant_id == tenant_id, a.id == wallet_id)
    spendable_first = case((x.remaining_nano > 0, 0), else_=1)
    return statement.order_by(spendable_first, x.id.desc()).limit(MAX_LOTS)


async def history(
    connection: AsyncConnection, tenant_id: int, wallet_id: int, limit: int, before: tuple[int, str] | None
) -> list[HistoryLine]:
    """A wallet's transactions, newest first; only those before (created_at, id), if given."""
    at, txn_id = before or (None, None)
    rows = await connection.execute(*_history(tenant_id, wallet_id, limit, at, txn_id))
    return [
        HistoryLine(
            id=row.id,
            created_at=row.created_at,
            code=row.code,
            ref=row.ref,
            amount=row.amount,
            balance_after=row.balance_after_nano,
        )
        for row in rows
    ]


def history_rows(
    tenant_id: int, wallet_id: int, limit: int, before_at: int | None, before_id: str | None
) -> Select[Any]:
    """What `history` reads: a range of the wallet's index, however far back it begins."""
    x, e = t.txn.c, t.entry.c
    # Not a join, which a planner may begin at the wrong end: looked up for the page's rows alone.
    moved = select(cast(func.sum(e.amount_nano), BigInteger)).where(e.txn_id == x.id, e.account_id == x.wallet_id)
    amount = moved.correlate(t.txn).scalar_subquery()
    statement = select(x.id, x.created_at, x.code, x.ref, amount.label("amount"), x.balance_after_nano)
    statement = statement.where(x.tenant_id == tenant_id, x.wallet_id == wallet_id, amount.is_not(None))
    if before_at is not None:
        statement = statement.where(tuple_(x.created_at, x.id) < tuple_(before_at, before_id))
    return statement.order_by(x.created_at.desc(), x.id.desc()).limit(limit)


_history: Final = kept(history_rows)


async def was_done(connection: AsyncConnection, tenant_id: int, operation: str, key: str) -> bool:
    """Whether an operation with this idempotency key has been carried out."""
    c = t.operation.c
    statement = select(c.key).where(c.tenant_id == tenant_id, c.operation == operation, c.key == key)
    return (await connection.execute(statement)).first() is not None
