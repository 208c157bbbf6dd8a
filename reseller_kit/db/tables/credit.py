"""What happens to credit beside calls: vouchers, refunds' clawbacks, charges above their holds. Holds no query."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from .base import Document, at_column, hot_tenant_column, metadata, nano_column, tenant_column, text_column

voucher = Table(
    "voucher",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    text_column("batch"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    text_column("prefix"),
    Column("amount_nano", BigInteger, nullable=False),
    Column("models", Document, nullable=False),
    Column("valid_days", Integer, nullable=True),
    at_column("expires_at", nullable=True),
    Column("max_redemptions", Integer, nullable=False),
    Column("redeemed", Integer, nullable=False, server_default=text("0")),
    at_column("revoked_at", nullable=True),
    at_column("created_at"),
    CheckConstraint("0 <= redeemed AND redeemed <= max_redemptions", name="not_overused"),
    CheckConstraint("amount_nano > 0", name="positive"),
    Index(None, "tenant_id", "batch"),
)
"""`digest`: keyed hash of the code, bound to its tenant; `prefix`: what may be shown of it; `batch`: "" without one."""

voucher_redemption = Table(
    "voucher_redemption",
    metadata,
    Column("voucher_id", Text, ForeignKey("voucher.id"), nullable=False),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    tenant_column(),
    Column("lot_id", Text, nullable=False),
    at_column("created_at"),
    PrimaryKeyConstraint("voucher_id", "customer_id"),
)
"""Which customer redeemed which voucher, and the lot that it became."""

clawback = Table(
    "clawback",
    metadata,
    Column("lot_id", Text, ForeignKey("lot.id"), primary_key=True),
    tenant_column(),
    nano_column("free_nano"),
    nano_column("expired_nano"),
    nano_column("debt_nano"),
    CheckConstraint("free_nano >= 0 AND expired_nano >= 0 AND debt_nano >= 0", name="not_negative"),
)
"""What refunds have taken of a lot so far: of its free part, of what had expired, and as debt."""

overage = Table(
    "overage",
    metadata,
    Column("request_id", Text, primary_key=True),
    hot_tenant_column(),
    text_column("parts"),
    sqlite_with_rowid=False,
)
"""Of a call that was charged more than its hold: what it took beside the hold's allocations, as JSON pairs of lot id
and nano-USD in order; the lot "" is debt. A call that stayed within its hold has no row.
"""
