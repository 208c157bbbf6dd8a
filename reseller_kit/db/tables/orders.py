"""Orders of customers with their timelines, receipts and subscriptions. Holds no query."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from .base import BigInt, Document, at_column, id_column, metadata, nano_column, tenant_column, text_column

_UNSETTLED = text("settled_version < facts_version")

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
    Column("subscription_id", Text, nullable=True),
    at_column("period_starts_at", nullable=True),
    at_column("period_ends_at", nullable=True),
    Column("beneficiary_id", BigInt, nullable=True),
    at_column("cancelled_at", nullable=True),
    Column("facts_version", Integer, nullable=False, server_default=text("0")),
    Column("settled_version", Integer, nullable=False, server_default=text("0")),
    Column("settle_claim", Text, nullable=True),
    at_column("settle_until", nullable=True),
    CheckConstraint("price_nano >= 0 AND credits_nano > 0", name="amounts"),
    CheckConstraint("0 <= refunded_nano AND refunded_nano <= price_nano", name="refunded"),
    UniqueConstraint("tenant_id", "provider", "provider_ref"),
    UniqueConstraint("tenant_id", "customer_id", "request_key"),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "state", "lapses_at"),
    Index(
        "ix_purchase_order_subscription",
        "subscription_id",
        postgresql_where=text("subscription_id IS NOT NULL"),
        sqlite_where=text("subscription_id IS NOT NULL"),
    ),
    Index("ix_purchase_order_unsettled", "id", postgresql_where=_UNSETTLED, sqlite_where=_UNSETTLED),
)
"""`package_id` is the immutable version that stood on the page, `terms_hash` that of the terms accepted with it; what
is bought and for how much is pinned beside. `request_key` makes a form that is sent twice one order. `provider_ref` and
`provider_facts` are what the payment provider calls it and told of it; `note` is for the customer's eyes too. A period
of a subscription is an order that names it; one without `period_starts_at` is a change within a period.
`beneficiary_id`: the reseller whose account with the operator it tops up; such an order is the platform's own tenant's.
`facts_version` rises with all that becomes known of its payments, and `settled_version` follows when order and ledger
are brought to that; `settle_claim`: who does so, until `settle_until`.
"""

subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    Column("order_id", Text, ForeignKey("purchase_order.id"), nullable=False, unique=True),
    Column("package_id", BigInt, ForeignKey("package.id"), nullable=False),
    Column("next_package_id", BigInt, ForeignKey("package.id"), nullable=True),
    text_column("state"),
    text_column("provider"),
    Column("provider_ref", Text, nullable=True),
    Column("pin", Document, nullable=True),
    at_column("anchor_at"),
    Column("number", Integer, nullable=False),
    at_column("period_starts_at"),
    at_column("period_ends_at"),
    at_column("cancel_at", nullable=True),
    at_column("told_at"),
    at_column("created_at"),
    at_column("changed_at"),
    UniqueConstraint("tenant_id", "provider", "provider_ref"),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "state", "period_ends_at"),
)
"""What renews: `order_id` began it, `package_id` is what the current period was sold as and `next_package_id` what the
next one will be, where that is another. `number` counts periods from 0 at `anchor_at`. `pin`: what a renewal's payment
has to agree with; `told_at`: how old the latest is that the provider told of it.
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
