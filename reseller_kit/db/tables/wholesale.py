"""Payouts of revenue shares, and which low balances resellers were told of. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, Text, text

from .base import at_column, id_column, metadata, tenant_column, text_column

payout = Table(
    "payout",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("amount_nano", BigInteger, nullable=False),
    text_column("state"),
    Column("txn_id", Text, nullable=True),
    text_column("reference", server_default=""),
    text_column("reject_reason", server_default=""),
    at_column("requested_at"),
    at_column("approved_at", nullable=True),
    at_column("rejected_at", nullable=True),
    at_column("paid_at", nullable=True),
    CheckConstraint("amount_nano > 0", name="positive"),
    Index(None, "tenant_id", "id"),
)
"""`state`: requested | approved | rejected | paid. `txn_id`: what approving posted; `reference`: of the bank's."""

balance_notice = Table(
    "balance_notice",
    metadata,
    id_column(),
    tenant_column(),
    Column("threshold_nano", BigInteger, nullable=False),
    Column("balance_nano", BigInteger, nullable=False),
    at_column("told_at"),
    at_column("lifted_at", nullable=True),
    Index(
        "ix_balance_notice_open",
        "tenant_id",
        "threshold_nano",
        unique=True,
        postgresql_where=text("lifted_at IS NULL"),
        sqlite_where=text("lifted_at IS NULL"),
    ),
)
"""One row for each time that a balance fell below a threshold; `lifted_at`: when it was seen above it again."""
