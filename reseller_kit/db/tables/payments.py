"""What payment providers told, and refunds that are asked of them. Holds no query."""

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
    UniqueConstraint,
    text,
)

from .base import Document, at_column, id_column, metadata, tenant_column, text_column

_WAITING = text("processed_at IS NULL AND parked_at IS NULL")
_IN_QUESTION = text("problem <> ''")
_ASKED = text("state = 'asked'")

inbox = Table(
    "inbox",
    metadata,
    id_column(),
    tenant_column(),
    text_column("provider"),
    text_column("event_id"),
    text_column("kind"),
    at_column("occurred_at"),
    Column("fact", Document, nullable=True),
    Column("key_id", Text, nullable=True),
    Column("sealed", LargeBinary, nullable=True),
    at_column("received_at"),
    at_column("due_at"),
    Column("claim", Text, nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at_column("processed_at", nullable=True),
    at_column("parked_at", nullable=True),
    Column("last_error", Text, nullable=True),
    UniqueConstraint("tenant_id", "provider", "event_id"),
    Index("ix_inbox_waiting", "due_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
    Index(None, "received_at"),
)
"""Deliveries of providers, each event once. `fact`: what it tells, null where that is nothing of money; `sealed`: the
raw body as it came, encrypted, for as long as it is kept. `claim`: who works on it, until `due_at`.
"""

payment_fact = Table(
    "payment_fact",
    metadata,
    id_column(),
    tenant_column(),
    text_column("provider"),
    text_column("kind"),
    text_column("ref"),
    Column("order_id", Text, ForeignKey("purchase_order.id"), nullable=True),
    Column("payment_ref", Text, nullable=True),
    Column("subscription_ref", Text, nullable=True),
    text_column("status"),
    Column("state", Document, nullable=False),
    text_column("decision", server_default=""),
    text_column("decided_by", server_default=""),
    text_column("note", server_default=""),
    text_column("problem", server_default=""),
    at_column("occurred_at"),
    at_column("created_at"),
    at_column("changed_at"),
    CheckConstraint("kind IN ('payment', 'adjustment', 'subscription')", name="kind"),
    CheckConstraint("decision IN ('', 'accepted', 'dismissed')", name="decision"),
    UniqueConstraint("tenant_id", "provider", "kind", "ref"),
    Index(None, "tenant_id", "order_id"),
    Index("ix_payment_fact_in_question", "id", postgresql_where=_IN_QUESTION, sqlite_where=_IN_QUESTION),
    Index(None, "tenant_id", "provider", "payment_ref"),
    Index(None, "tenant_id", "provider", "subscription_ref"),
)
"""The latest state of each of a provider's objects. `order_id`: the order that it belongs to, for good once it is
known. `decision`: what somebody decided on a payment in question; `problem`: what is in question, in words.
"""

payment_refund = Table(
    "payment_refund",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("order_id", Text, ForeignKey("purchase_order.id"), nullable=False),
    text_column("provider"),
    text_column("payment_ref"),
    Column("adjustment_ref", Text, nullable=True),
    Column("minor", BigInteger, nullable=False),
    text_column("currency"),
    text_column("reason", server_default=""),
    text_column("note", server_default=""),
    text_column("actor"),
    text_column("state"),
    Column("error", Text, nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at_column("due_at"),
    Column("claim", Text, nullable=True),
    at_column("created_at"),
    at_column("ended_at", nullable=True),
    CheckConstraint("minor > 0", name="positive"),
    CheckConstraint("state IN ('asked', 'pending', 'approved', 'rejected', 'refused', 'superseded')", name="state"),
    UniqueConstraint("tenant_id", "provider", "adjustment_ref"),
    Index(None, "tenant_id", "order_id"),
    Index("ix_payment_refund_asked", "due_at", postgresql_where=_ASKED, sqlite_where=_ASKED),
)
"""Refunds: asked of a provider by us (`asked` until it answered), or told by it. While one is undecided, a hold of the
ledger under its id keeps the credit. `superseded`: what the provider answered is another row already.
"""

payment_poll = Table(
    "payment_poll",
    metadata,
    tenant_column(),
    text_column("provider"),
    at_column("polled_to"),
    at_column("due_at"),
    Column("claim", Text, nullable=True),
    at_column("failed_at", nullable=True),
    Column("failure", Text, nullable=True),
    PrimaryKeyConstraint("tenant_id", "provider"),
)
"""How far a tenant's provider has been asked for all that changed, and when it is to be asked again.

`failed_at`: since when it could not be asked, or could not be taken in, and why; NULL once it was.
"""
