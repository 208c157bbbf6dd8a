"""Accounts, transactions, lots, key windows, holds and idempotency: the double-entry ledger. Holds no query."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from .base import (
    BigInt,
    Document,
    IdText,
    at_column,
    hot_tenant_column,
    id_column,
    metadata,
    nano_column,
    tenant_column,
    text_column,
)

account = Table(
    "account",
    metadata,
    id_column(),
    tenant_column(),
    text_column("kind"),
    text_column("owner", server_default=""),
    text_column("currency", server_default="USD"),
    nano_column("balance_nano"),
    nano_column("reserved_nano"),
    nano_column("debt_nano"),
    UniqueConstraint("tenant_id", "kind", "owner"),
    CheckConstraint("reserved_nano >= 0 AND debt_nano >= 0", name="not_negative"),
)
"""Balances are stored for wallets only; a sink's balance is the sum of its entries. `owner`: customer id or ""."""

txn = Table(
    "txn",
    metadata,
    Column("id", IdText, primary_key=True),
    hot_tenant_column(),
    Column("wallet_id", BigInt, nullable=True),
    text_column("code"),
    text_column("ref"),
    Column("balance_after_nano", BigInteger, nullable=True),
    Column("reverses", Text, nullable=True),
    at_column("created_at"),
    Index(None, "wallet_id", "created_at", "id"),
    Index(
        "ix_txn_reverses",
        "reverses",
        unique=True,
        postgresql_where=text("reverses IS NOT NULL"),
        sqlite_where=text("reverses IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)
"""`wallet_id`: whose history shows it; `balance_after_nano`: that wallet's balance behind it."""

entry = Table(
    "entry",
    metadata,
    Column("txn_id", IdText, nullable=False),
    Column("line", Integer, nullable=False),
    hot_tenant_column(),
    Column("account_id", BigInt, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    PrimaryKeyConstraint("txn_id", "line"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (txn_id)",
)
"""Cut by month on PostgreSQL; see `db.partitions`."""

lot = Table(
    "lot",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("wallet_id", BigInt, ForeignKey("account.id"), nullable=False),
    text_column("kind"),
    Column("amount_nano", BigInteger, nullable=False),
    Column("remaining_nano", BigInteger, nullable=False),
    nano_column("reserved_nano"),
    nano_column("consumed_nano"),
    nano_column("expired_nano"),
    nano_column("clawed_back_nano"),
    nano_column("cash_nano"),
    nano_column("accrued_nano"),
    Column("daily_nano", BigInteger, nullable=True),
    Column("used_up", Boolean, nullable=False, server_default=text("false")),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("models", Document, nullable=False),
    at_column("expires_at", nullable=True),
    text_column("ref", server_default=""),
    at_column("created_at"),
    CheckConstraint(
        "0 <= reserved_nano AND reserved_nano <= remaining_nano AND remaining_nano <= amount_nano", name="bounds"
    ),
    CheckConstraint("amount_nano = remaining_nano + consumed_nano + expired_nano + clawed_back_nano", name="whole"),
    Index(
        "ix_lot_spendable",
        "wallet_id",
        postgresql_where=text("NOT used_up"),
        sqlite_where=text("NOT used_up"),
    ),
    Index(
        "ix_lot_expiring",
        "expires_at",
        postgresql_where=text("NOT used_up"),
        sqlite_where=text("NOT used_up"),
    ),
    Index(None, "wallet_id", "id"),
    Index("ix_lot_paid", "id", postgresql_where=text("cash_nano > 0"), sqlite_where=text("cash_nano > 0")),
)
"""`cash_nano`: what was paid for it through the operator's account; `accrued_nano`: what of that the reseller has.

`daily_nano`: how much of it calls may hold and spend in a day, NULL for all of it.

`used_up`: nothing remains. Indexes go by it, because it changes once in a lot's life and `remaining_nano` with every
call: an update that touches no index is a fraction of the work.
"""

lot_day = Table(
    "lot_day",
    metadata,
    Column("lot_id", Text, primary_key=True),
    hot_tenant_column(),
    at_column("day"),
    nano_column("used_nano"),
    CheckConstraint("used_nano >= 0", name="not_negative"),
    sqlite_with_rowid=False,
)
"""What calls hold and have spent of a lot's daily allowance on the last day (UTC) that it was used; `day` begins it."""

key_window = Table(
    "key_window",
    metadata,
    Column("key_id", Text, nullable=False),
    at_column("started_at"),
    hot_tenant_column(),
    nano_column("spent_nano"),
    nano_column("reserved_nano"),
    nano_column("carried_nano"),
    PrimaryKeyConstraint("key_id", "started_at"),
    CheckConstraint("reserved_nano >= 0", name="not_negative"),
    sqlite_with_rowid=False,
)
"""What a key with a limit has spent and reserved in one period of its limit.

`carried_nano`: what of that was spent with the key whose place it took.
"""

hold = Table(
    "hold",
    metadata,
    Column("request_id", IdText, primary_key=True),
    hot_tenant_column(),
    text_column("kind", server_default="call"),
    text_column("state"),
    Column("customer_id", Text, nullable=False),
    Column("wallet_id", BigInt, nullable=False),
    Column("reseller_wallet_id", BigInt, nullable=False),
    text_column("key_id"),
    at_column("window_started_at"),
    text_column("model"),
    text_column("retail_version"),
    text_column("wholesale_version"),
    Column("output_limit", BigInteger, nullable=False),
    Column("retail_nano", BigInteger, nullable=False),
    Column("wholesale_nano", BigInteger, nullable=False),
    text_column("allocations"),
    text_column("owner"),
    Column("epoch", BigInteger, nullable=False),
    Column("call", Text, nullable=True),
    Column("checkpoint", Text, nullable=True),
    at_column("created_at"),
    at_column("resolved_at", nullable=True),
    Index("ix_hold_open", "owner", postgresql_where=text("state = 'open'"), sqlite_where=text("state = 'open'")),
    sqlite_with_rowid=False,
)
"""`state`: open | captured | voided | expired. `allocations`: JSON pairs of lot id and nano-USD.

`call`: what a usage record needs should the process die; `checkpoint`: what was delivered so far.
"""

operation = Table(
    "operation",
    metadata,
    tenant_column(),
    text_column("operation"),
    text_column("key"),
    text_column("request_hash"),
    Column("outcome", Document, nullable=False),
    at_column("created_at"),
    PrimaryKeyConstraint("tenant_id", "operation", "key"),
)
"""Idempotency: the same key and request give the same outcome; another request is a conflict."""
