"""Customers, their links and API keys. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from .base import BigInt, Document, at_column, id_column, metadata, tenant_column, text_column

_CLOSING = text("status = 'closing'")
_SUSPENDED = text("suspended_until IS NOT NULL")

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
    Column("group_id", Text, nullable=True),
    Column("locale", Text, nullable=True),
    Column("timezone", Text, nullable=True),
    at_column("delete_at", nullable=True),
    at_column("suspended_until", nullable=True),
    at_column("restricted_at", nullable=True),
    at_column("restricted_until", nullable=True),
    Column("restrict_reason", Text, nullable=True),
    UniqueConstraint("tenant_id", "email"),
    Index("ix_customer_delete_at", "delete_at", postgresql_where=_CLOSING, sqlite_where=_CLOSING),
    Index("ix_customer_suspended_until", "suspended_until", postgresql_where=_SUSPENDED, sqlite_where=_SUSPENDED),
)
"""`email` is stored case-folded; `status`: active | suspended | closing | deleted.

`locale` and `timezone`: the customer's own choice. `delete_at`: when a closing account is deleted, `suspended_until`:
when a suspended one is resumed by itself. `group_id`: one of the tenant's groups, if any. `restricted_*`: what its
reports of abuse come to (`db.abuse.settle`).
"""

customer_note = Table(
    "customer_note",
    metadata,
    id_column(),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    text_column("author"),
    text_column("body"),
    at_column("created_at"),
    Index(None, "tenant_id", "customer_id"),
)
"""What a reseller's team notes about a customer, for itself. `author`: a member's address."""

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
    Column("detail", Document, nullable=True),
    Index(None, "tenant_id", "customer_id"),
)
"""One-time links such as the one that sets a password; only the keyed hash of the token is kept.

`detail`: what becomes true with the link's use: the password of a sign-up, a new address."""

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
    Column("allow_ips", Document, nullable=False, server_default=text("'[]'")),
    Column("requests_per_minute", Integer, nullable=True),
    Column("tokens_per_minute", BigInteger, nullable=True),
    Column("concurrent_requests", Integer, nullable=True),
    at_column("expires_at", nullable=True),
    at_column("revoked_at", nullable=True),
    at_column("last_used_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "customer_id"),
)
"""`allow_ips`: networks that it may be used from, none meaning any; `last_used_at`: when its latest call began, which
the rollups write down some seconds later.
"""

spend_alert = Table(
    "spend_alert",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    text_column("period"),
    Column("threshold_nano", BigInt, nullable=False),
    at_column("told_period_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "customer_id"),
)
"""A customer wants a mail when its spending of a `period` (day | month) reaches the threshold. `told_period_at`: the
start of the latest period that it was told of.
"""

credit_alert = Table(
    "credit_alert",
    metadata,
    Column("customer_id", Text, ForeignKey("customer.id"), primary_key=True),
    tenant_column(),
    Column("thresholds", Document, nullable=True),
    text_column("told", server_default="[]"),
    at_column("changed_at"),
)
"""At which balances (nano-USD) a customer is told that its credit runs low: null, the default, goes by its latest
purchase; none at all is an empty list. `told`: JSON, the thresholds that it was told of since it was last above
them.
"""
