"""Payouts of revenue shares, and which low balances resellers were told of. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, PrimaryKeyConstraint, Table, Text

from .base import at_column, metadata, tenant_column, text_column

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
    tenant_column(),
    Column("threshold_nano", BigInteger, nullable=False),
    Column("armed", Boolean, nullable=False),
    at_column("changed_at"),
    PrimaryKeyConstraint("tenant_id", "threshold_nano"),
)
"""A threshold that is not armed was told of, until the balance has been above it again."""
