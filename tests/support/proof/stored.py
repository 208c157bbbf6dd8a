"""What the database holds of one storefront, in the second ledger's words. Judges nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reseller_kit.db import tables as t

Rows = list[tuple[Any, ...]]
WALLETS = frozenset({"customer_wallet", "reseller_wallet", "reseller_accrual"})
LOT = ("amount", "remaining", "reserved", "consumed", "expired", "clawed_back", "cash", "accrued")
HOLD = ("state", "owner", "epoch", "output_limit", "retail_nano", "wholesale_nano", "allocations")


async def stored(connection: AsyncConnection, tenant_id: int) -> dict[str, Any]:
    """Every figure that an operation of the ledger changes; see `expected` for the other side."""

    async def rows(table: str, *columns: str) -> Rows:
        c = t.metadata.tables[table].c
        found = await connection.execute(
            select(*(c[name] for name in columns)).where(c.tenant_id == tenant_id).order_by(c[columns[0]])
        )
        return [tuple(row) for row in found]

    holds = await rows("hold", "request_id", *HOLD)
    windows = await rows("key_window", "key_id", "started_at", "spent_nano", "reserved_nano")
    redemptions = await rows("voucher_redemption", "voucher_id", "customer_id", "lot_id")
    refunds = await rows("clawback", "lot_id", "free_nano", "expired_nano", "debt_nano")
    return {
        "wallets": _wallets(await rows("account", "id", "owner", "kind", "balance_nano", "reserved_nano", "debt_nano")),
        "sinks": await _sinks(connection, tenant_id),
        "transactions": Counter(row[1] for row in await rows("txn", "id", "code")),
        "lots": {row[0]: row[1:] for row in await rows("lot", "id", *(f"{name}_nano" for name in LOT))},
        "days": {row[0]: row[1:] for row in await rows("lot_day", "lot_id", "day", "used_nano")},
        "windows": {row[:2]: row[2:] for row in windows if any(row[2:])},
        "holds": {row[0]: (*row[1:-1], _parts(row[-1])) for row in holds},
        "usage": {
            row[0]: row[1:] for row in await rows("usage_record", "id", "retail_nano", "wholesale_nano", "cost_nano")
        },
        "redemptions": {row[:2]: row[2] for row in redemptions},
        "vouchers": dict(await rows("voucher", "id", "redeemed")),
        "refunds": {row[0]: row[1:] for row in refunds if any(row[1:])},
        "reversals": {row[1]: row[0] for row in await rows("txn", "id", "reverses") if row[1] is not None},
        "payouts": dict(await rows("payout", "id", "state")),
    }


def _wallets(rows: Rows) -> dict[str, tuple[int, ...]]:
    """Customers' wallets by their owner, the reseller's account by its kind where there is anything on it."""
    found = {}
    for _, owner, kind, *figures in rows:
        if kind == "customer_wallet":
            found[owner] = tuple(figures)
        elif kind in WALLETS and any(figures):
            found[kind] = tuple(figures)
    return found


async def _sinks(connection: AsyncConnection, tenant_id: int) -> dict[str, int]:
    e, a = t.entry.c, t.account.c
    found = await connection.execute(
        select(a.kind, func.sum(e.amount_nano))
        .join(t.account, a.id == e.account_id)
        .where(e.tenant_id == tenant_id)
        .group_by(a.kind)
    )
    return {kind: int(total) for kind, total in found if kind not in WALLETS and total}


def _parts(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((lot, part) for lot, part in msgspec.json.decode(text, type=list[tuple[str, int]]))
