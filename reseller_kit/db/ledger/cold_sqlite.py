"""Statements of cold items on SQLite. Runs them on the ledger's connection, inside its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from .cold import Cold, ColdNeeds, ColdRows
from .columns import LOT_READ
from .rows import Row

_LOTS: Final = f"SELECT {', '.join(LOT_READ)} FROM lot WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608  # names come from `columns`, values are bound
_CLAWBACKS: Final = (
    "SELECT lot_id, free_nano, expired_nano, debt_nano FROM clawback WHERE lot_id IN (SELECT value FROM json_each(?))"
)
_VOUCHERS: Final = (
    "SELECT id, tenant_id, amount_nano, models, valid_days, expires_at, max_redemptions, redeemed, revoked_at"
    " FROM voucher WHERE id IN (SELECT value FROM json_each(?))"
)
_REDEMPTIONS: Final = (
    "SELECT voucher_id, customer_id, lot_id FROM voucher_redemption WHERE voucher_id = ? AND customer_id = ?"
)
_REVERSALS: Final = (
    "SELECT reverses, id FROM txn WHERE reverses IN (SELECT value FROM json_each(?)) AND reverses IS NOT NULL"
)
_INSERT_OVERAGE: Final = "INSERT INTO overage (request_id, tenant_id, parts) VALUES (?, ?, ?)"
_INSERT_REDEMPTION: Final = (
    "INSERT INTO voucher_redemption (voucher_id, customer_id, tenant_id, lot_id, created_at) VALUES (?, ?, ?, ?, ?)"
)
_UPDATE_VOUCHER: Final = "UPDATE voucher SET redeemed = ? WHERE id = ? AND tenant_id = ?"
_UPSERT_CLAWBACK: Final = (
    "INSERT INTO clawback (lot_id, tenant_id, free_nano, expired_nano, debt_nano) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (lot_id) DO UPDATE SET free_nano = excluded.free_nano, expired_nano = excluded.expired_nano,"
    " debt_nano = excluded.debt_nano"
)


def read(connection: sqlite3.Connection, needs: ColdNeeds) -> ColdRows:
    """What the items need."""

    def rows(statement: str, ids: Sequence[str]) -> list[Row]:
        return connection.execute(statement, (msgspec.json.encode(ids).decode(),)).fetchall() if ids else []

    return ColdRows(
        lots=rows(_LOTS, needs.lots),
        clawbacks=rows(_CLAWBACKS, needs.lots),
        vouchers=rows(_VOUCHERS, needs.vouchers),
        redemptions=[row for pair in needs.redemptions for row in connection.execute(_REDEMPTIONS, pair)],
        reversals=rows(_REVERSALS, needs.reversed),
    )


def write(connection: sqlite3.Connection, cold: Cold) -> None:
    """What the items changed."""
    for statement, rows, counted in (
        (_INSERT_OVERAGE, cold.overages, False),
        (_UPDATE_VOUCHER, cold.voucher_updates(), True),
        (_INSERT_REDEMPTION, cold.redemptions, False),
        (_UPSERT_CLAWBACK, cold.clawback_upserts(), False),
    ):
        if rows and connection.executemany(statement, rows).rowcount != len(rows) and counted:
            raise RuntimeError(f"not all of {len(rows)} rows were there to write")
