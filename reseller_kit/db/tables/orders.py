"""Orders of customers with their timelines and receipts. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from .base import BigInt, Document, at_column, id_column, metadata, nano_column, tenant_column, text_column

purchase_order = Table(
    "purchase_order",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    Column("package_id", BigInt, ForeignKey("package.id"), nullable=False),
    text_column("state"),
    text_column("provider"),
    Column("provider_ref", Text, nullable=True),
    Column("provider_facts", Document, nullable=False),
    Column("price_nano", BigInteger, nullable=False),
    Column("credits_nano", BigInteger, nullable=False),
    nano_column("refunded_nano"),
    text_column("terms_hash"),
    Column("request_key", Text, nullable=True),
    Column("lot_id", Text, nullable=True),
    text_column("note", server_default=""),
    at_column("created_at"),
    at_column("paid_at", nullable=True),
    at_column("lapses_at"),
    at_column("changed_at"),
    CheckConstraint("price_nano >= 0 AND credits_nano > 0", name="amounts"),
    CheckConstraint("0 <= refunded_nano AND refunded_nano <= price_nano", name="refunded"),
    UniqueConstraint("tenant_id", "provider", "provider_ref"),
    UniqueConstraint("tenant_id", "customer_id", "request_key"),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "state", "lapses_at"),
)
"""`package_id` is the immutable version that stood on the page, `terms_hash` that of the terms accepted with it; what
is bought and for how much is pinned beside. `request_key` makes a form that is sent twice one order. `provider_ref` and
`provider_facts` are what the payment provider calls it and told of it; `note` is for the customer's eyes too.
"""

order_event = Table(
    "order_event",
    metadata,
    id_column(),
    tenant_column(),
    Column("order_id", Text, ForeignKey("purchase_order.id"), nullable=False),
    text_column("event"),
    text_column("before"),
    text_column("after"),
    text_column("actor"),
    Column("facts", Document, nullable=False),
    at_column("created_at"),
    Index(None, "tenant_id", "order_id"),
)
"""An order's timeline, append-only: what happened, and from which state to which."""

receipt = Table(
    "receipt",
    metadata,
    Column("order_id", Text, ForeignKey("purchase_order.id"), primary_key=True),
    tenant_column(),
    Column("year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Document, nullable=False),
    at_column("issued_at"),
    UniqueConstraint("tenant_id", "year", "number"),
)
"""One receipt an order, numbered without a gap within its tenant and year. `content` is what stood on it that day:
seller, buyer, lines and tax; it never changes.
"""
