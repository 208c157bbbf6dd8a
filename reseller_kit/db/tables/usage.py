"""Usage records: one row a call. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from .base import at_column, hot_tenant_column, metadata, text_column

usage_record = Table(
    "usage_record",
    metadata,
    Column("id", Text, primary_key=True),
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
    Index(None, "tenant_id", "customer_id", "id"),
    sqlite_with_rowid=False,
)
"""One row a call that reached the hold.

`model`: as asked for; `public_model`: what it stands for; `quantities`: JSON, usage class → integer.
"""
