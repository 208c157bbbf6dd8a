"""Usage records, one row a call, and what is summed and archived of them. Holds no query."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from ...core.usage import PRICE_CLASSES
from .base import BigInt, IdText, at_column, hot_tenant_column, metadata, text_column

SUMMED: Final = (
    "calls",
    *PRICE_CLASSES,
    "retail_nano",
    "wholesale_nano",
    "cost_nano",
)
"""What a rollup sums: calls, the quantity of each usage class, and the charge at each level."""

TOTALLED: Final = ("calls", "input_tokens", "output_tokens", "retail_nano")
"""What is summed again for a customer's own pages; `input_tokens` are those of all kinds of text that was read."""

usage_record = Table(
    "usage_record",
    metadata,
    Column("id", IdText, primary_key=True),
    hot_tenant_column(),
    Column("customer_id", Text, nullable=False),
    text_column("key_id"),
    text_column("model"),
    text_column("public_model"),
    Column("upstream", Text, nullable=True),
    Column("upstream_model", Text, nullable=True),
    text_column("dialect"),
    Column("stream", Boolean, nullable=False),
    text_column("status"),
    Column("http_status", Integer, nullable=False),
    text_column("quantities"),
    Column("reasoning_tokens", BigInteger, nullable=False, server_default=text("0")),
    text_column("usage_source"),
    Column("usage_capped", Boolean, nullable=False, server_default=text("false")),
    Column("retail_nano", BigInteger, nullable=False),
    Column("wholesale_nano", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    text_column("retail_version"),
    text_column("wholesale_version"),
    Column("cost_version", Text, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("first_byte_ms", Integer, nullable=True),
    Column("delivered_characters", BigInteger, nullable=True),
    Column("tokenizer", Text, nullable=True),
    at_column("created_at"),
    Column("settled_at", BigInt, nullable=False, server_default=text("0")),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "tenant_id", "id"),
    Index(None, "settled_at"),
    Index(
        "ix_usage_record_not_ok",
        "tenant_id",
        "customer_id",
        "id",
        postgresql_where=text("status <> 'ok'"),
        sqlite_where=text("status <> 'ok'"),
    ),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (id)",
)
"""One row a call that reached the hold. Cut by month on PostgreSQL; see `db.partitions`.

`model`: as asked for; `public_model`: what it stands for; `quantities`: JSON, usage class → integer; `settled_at`:
when it was written, never before what the rollups have taken in.
"""

usage_rollup = Table(
    "usage_rollup",
    metadata,
    hot_tenant_column(),
    text_column("customer_id"),
    at_column("quarter_at"),
    text_column("model"),
    text_column("key_id"),
    *(Column(name, BigInt, nullable=False) for name in SUMMED),
    PrimaryKeyConstraint("tenant_id", "customer_id", "quarter_at", "model", "key_id"),
    sqlite_with_rowid=False,
)
"""Sums of usage records by quarter of an hour in UTC: days of every time zone are whole numbers of these.

`model`: as asked for. Rows with an empty `customer_id` and `key_id` are the whole storefront's.
"""

usage_total = Table(
    "usage_total",
    metadata,
    hot_tenant_column(),
    text_column("customer_id"),
    text_column("grain"),
    at_column("at"),
    text_column("model"),
    text_column("key_id"),
    *(Column(name, BigInt, nullable=False) for name in TOTALLED),
    PrimaryKeyConstraint("tenant_id", "customer_id", "grain", "at", "model", "key_id"),
    sqlite_with_rowid=False,
)
"""Sums of a customer's rollups, for its own pages: one row a `quarter` of all models and keys, and one a `day` in UTC
of each model and key. Whatever is asked of a long past is a short range of these and its rest of the rollups.
"""

model_day = Table(
    "model_day",
    metadata,
    hot_tenant_column(),
    at_column("day_at"),
    text_column("model"),
    *(Column(name, BigInt, nullable=False) for name in ("calls", "failures")),
    PrimaryKeyConstraint("tenant_id", "day_at", "model"),
    sqlite_with_rowid=False,
)
"""How a storefront's calls went, by day in UTC and model as asked for. Calls that were refused for what they asked are
no part of it.
"""

rollup_mark = Table(
    "rollup_mark",
    metadata,
    Column("name", Text, primary_key=True),
    at_column("at"),
)
"""`fence`: no settle is stamped before it any more; `rolled`: settles stamped before it are in the rollups."""

archive = Table(
    "archive",
    metadata,
    Column("month", Text, primary_key=True),
    text_column("state"),
    text_column("path"),
    text_column("sha256"),
    Column("records", BigInt, nullable=False),
    Column("holds", BigInt, nullable=False),
    at_column("created_at"),
)
"""Months whose usage records and holds were moved to files. `state`: removing | removed."""

archived_usage = Table(
    "archived_usage",
    metadata,
    text_column("month"),
    Column("reseller_wallet_id", BigInt, nullable=False),
    hot_tenant_column(),
    *(Column(name, BigInt, nullable=False) for name in ("calls", "retail_nano", "wholesale_nano", "cost_nano")),
    PrimaryKeyConstraint("month", "reseller_wallet_id"),
)
"""What archived usage records sum to, by the reseller's account that paid the wholesale."""

archived_window = Table(
    "archived_window",
    metadata,
    text_column("key_id"),
    at_column("started_at"),
    hot_tenant_column(),
    Column("spent_nano", BigInt, nullable=False),
    PrimaryKeyConstraint("key_id", "started_at"),
)
"""What archived calls spent of a key's limit, by the period they fell in."""
