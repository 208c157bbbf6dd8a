"""Statements of cold items on PostgreSQL. Runs them on the ledger's connection, inside its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .cold import Cold, ColdNeeds, ColdRows
from .columns import LOT_READ
from .rows import Row

_LOT_COLUMNS: Final = ", ".join("models::text" if name == "models" else name for name in LOT_READ)
_LOTS: Final = f"SELECT {_LOT_COLUMNS} FROM lot WHERE id = ANY($1::text[])"  # noqa: S608  # names come from `columns`, values are bound
_CLAWBACKS: Final = "SELECT lot_id, free_nano, expired_nano, debt_nano FROM clawback WHERE lot_id = ANY($1::text[])"
# Customers who redeem one voucher have different wallets: the voucher's own lock lets them in one after the other.
_VOUCHERS: Final = (
    "SELECT id, tenant_id, amount_nano, models::text, valid_days, expires_at, max_redemptions, redeemed, revoked_at"
    " FROM voucher WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
)
_REDEMPTIONS: Final = (
    "SELECT voucher_id, customer_id, lot_id FROM voucher_redemption"
    " WHERE (voucher_id, customer_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))"
)
_REVERSALS: Final = "SELECT reverses, id FROM txn WHERE reverses = ANY($1::text[]) AND reverses IS NOT NULL"
_INSERT_OVERAGE: Final = (
    "INSERT INTO overage (request_id, tenant_id, parts) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])"
)
_INSERT_REDEMPTION: Final = (
    "INSERT INTO voucher_redemption (voucher_id, customer_id, tenant_id, lot_id, created_at)"
    " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])"
)
_UPDATE_VOUCHER: Final = (
    "UPDATE voucher SET redeemed = v.redeemed FROM unnest($1::integer[], $2::text[], $3::bigint[])"
    " AS v(redeemed, id, tenant_id) WHERE voucher.id = v.id AND voucher.tenant_id = v.tenant_id"
)
_UPSERT_CLAWBACK: Final = (
    "INSERT INTO clawback (lot_id, tenant_id, free_nano, expired_nano, debt_nano)"
    " SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])"
    " ON CONFLICT (lot_id) DO UPDATE SET free_nano = excluded.free_nano, expired_nano = excluded.expired_nano,"
    " debt_nano = excluded.debt_nano"
)


async def read(connection: Any, needs: ColdNeeds) -> ColdRows:
    """What the items need; vouchers are locked in the order of their ids."""

    async def rows(statement: str, ids: Sequence[str]) -> Sequence[Row]:
        return await connection.fetch(statement, ids) if ids else []

    vouchers = await rows(_VOUCHERS, needs.vouchers)
    pairs = [list(column) for column in zip(*needs.redemptions, strict=True)]
    return ColdRows(
        lots=await rows(_LOTS, needs.lots),
        clawbacks=await rows(_CLAWBACKS, needs.lots),
        vouchers=vouchers,
        redemptions=await connection.fetch(_REDEMPTIONS, *pairs) if pairs else [],
        reversals=await rows(_REVERSALS, needs.reversed),
    )


async def write(connection: Any, cold: Cold) -> None:
    """What the items changed."""
    for statement, rows, counted in (
        (_INSERT_OVERAGE, cold.overages, False),
        (_UPDATE_VOUCHER, cold.voucher_updates(), True),
        (_INSERT_REDEMPTION, cold.redemptions, False),
        (_UPSERT_CLAWBACK, cold.clawback_upserts(), False),
    ):
        if not rows:
            continue
        status = await connection.execute(statement, *([*column] for column in zip(*rows, strict=True)))
        if counted and int(status.rpartition(" ")[2]) != len(rows):
            raise RuntimeError(f"{status}, but {len(rows)} rows were to be written")
