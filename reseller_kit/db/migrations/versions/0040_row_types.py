"""Types of the rows that the ledger writes: fixed by the version that made them, so that their tables may grow."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_ROWS: Final = {
    "account": {
        "balance_nano": "bigint",
        "reserved_nano": "bigint",
        "debt_nano": "bigint",
        "id": "bigint",
        "tenant_id": "bigint",
    },
    "lot": {
        "remaining_nano": "bigint",
        "reserved_nano": "bigint",
        "consumed_nano": "bigint",
        "expired_nano": "bigint",
        "clawed_back_nano": "bigint",
        "accrued_nano": "bigint",
        "used_up": "boolean",
        "id": "text",
        "wallet_id": "bigint",
    },
    "hold": {
        "request_id": "text",
        "tenant_id": "bigint",
        "kind": "text",
        "state": "text",
        "customer_id": "text",
        "wallet_id": "bigint",
        "reseller_wallet_id": "bigint",
        "key_id": "text",
        "window_started_at": "bigint",
        "model": "text",
        "retail_version": "text",
        "wholesale_version": "text",
        "output_limit": "bigint",
        "retail_nano": "bigint",
        "wholesale_nano": "bigint",
        "allocations": "text",
        "owner": "text",
        "epoch": "bigint",
        "call": "text",
        "checkpoint": "text",
        "created_at": "bigint",
        "resolved_at": "bigint",
    },
    "txn": {
        "id": "text",
        "tenant_id": "bigint",
        "wallet_id": "bigint",
        "code": "text",
        "ref": "text",
        "balance_after_nano": "bigint",
        "reverses": "text",
        "created_at": "bigint",
    },
    "entry": {
        "txn_id": "text",
        "line": "integer",
        "tenant_id": "bigint",
        "account_id": "bigint",
        "amount_nano": "bigint",
    },
    "usage_record": {
        "id": "text",
        "tenant_id": "bigint",
        "customer_id": "text",
        "key_id": "text",
        "model": "text",
        "public_model": "text",
        "upstream": "text",
        "upstream_model": "text",
        "dialect": "text",
        "stream": "boolean",
        "status": "text",
        "http_status": "integer",
        "quantities": "text",
        "reasoning_tokens": "bigint",
        "usage_source": "text",
        "usage_capped": "boolean",
        "retail_nano": "bigint",
        "wholesale_nano": "bigint",
        "cost_nano": "bigint",
        "retail_version": "text",
        "wholesale_version": "text",
        "cost_version": "text",
        "attempts": "integer",
        "latency_ms": "integer",
        "first_byte_ms": "integer",
        "delivered_characters": "bigint",
        "tokenizer": "text",
        "created_at": "bigint",
        "settled_at": "bigint",
    },
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _ROWS.items():
        members = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        op.execute(f"CREATE TYPE {table}_row_1 AS ({members})")
