"""Customers, their links and API keys. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from .base import BigInt, Document, at_column, metadata, tenant_column, text_column

customer = Table(
    "customer",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    text_column("email"),
    text_column("name", server_default=""),
    text_column("status"),
    Column("suspend_reason", Text, nullable=True),
    at_column("verified_at", nullable=True),
    Column("wallet_id", BigInt, ForeignKey("account.id"), nullable=False),
    at_column("created_at"),
    UniqueConstraint("tenant_id", "email"),
)
"""`email` is stored case-folded; `status`: active | suspended."""

customer_link = Table(
    "customer_link",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    text_column("purpose"),
    at_column("expires_at"),
    at_column("used_at", nullable=True),
    at_column("created_at"),
)
"""One-time links such as the one that sets a password; only the keyed hash of the token is kept."""

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    text_column("prefix"),
    text_column("name", server_default=""),
    Column("limit_nano", BigInteger, nullable=True),
    Column("limit_reset", Text, nullable=True),
    Column("models", Document, nullable=False),
    Column("requests_per_minute", Integer, nullable=True),
    Column("tokens_per_minute", BigInteger, nullable=True),
    Column("concurrent_requests", Integer, nullable=True),
    at_column("expires_at", nullable=True),
    at_column("revoked_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "customer_id"),
)
