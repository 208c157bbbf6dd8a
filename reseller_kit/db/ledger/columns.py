"""Columns of the hot statements, in the order of the rows that `batch` makes and reads. The schema is `db.tables`."""

from __future__ import annotations

from typing import Final

from ..tables import entry, hold, txn, usage_record

ACCOUNT_READ: Final = ("id", "tenant_id", "kind", "balance_nano", "reserved_nano", "debt_nano")
ACCOUNT_CHANGED: Final = ("balance_nano", "reserved_nano", "debt_nano")
LOT_CHANGED: Final = (
    "remaining_nano",
    "reserved_nano",
    "consumed_nano",
    "expired_nano",
    "clawed_back_nano",
    "accrued_nano",
)
LOT_READ: Final = (
    "id",
    "wallet_id",
    "kind",
    "amount_nano",
    "remaining_nano",
    "reserved_nano",
    "consumed_nano",
    "expired_nano",
    "clawed_back_nano",
    "priority",
    "expires_at",
    "models",
    "created_at",
    "cash_nano",
    "accrued_nano",
    "daily_nano",
)
DAY_READ: Final = ("lot_id", "day", "used_nano")
WINDOW_READ: Final = ("key_id", "started_at", "spent_nano", "reserved_nano")
HOLD_READ: Final = (
    "request_id",
    "tenant_id",
    "state",
    "customer_id",
    "wallet_id",
    "reseller_wallet_id",
    "key_id",
    "window_started_at",
    "model",
    "output_limit",
    "retail_nano",
    "wholesale_nano",
    "allocations",
    "created_at",
    "owner",
    "epoch",
)
TXN_READ: Final = ("id", "balance_after_nano")
OPERATION_READ: Final = ("tenant_id", "operation", "key", "request_hash", "outcome")

HOLD_INSERT: Final = tuple(hold.columns.keys())
LOT_INSERT: Final = (
    "id",
    "tenant_id",
    "wallet_id",
    "kind",
    "amount_nano",
    "remaining_nano",
    "reserved_nano",
    "consumed_nano",
    "expired_nano",
    "clawed_back_nano",
    "priority",
    "models",
    "expires_at",
    "created_at",
    "cash_nano",
    "ref",
    "accrued_nano",
    "daily_nano",
    "used_up",
)
TXN_INSERT: Final = tuple(txn.columns.keys())
ENTRY_INSERT: Final = tuple(entry.columns.keys())
OPERATION_INSERT: Final = ("tenant_id", "operation", "key", "request_hash", "outcome", "created_at")
USAGE_INSERT: Final = tuple(usage_record.columns.keys())
