"""What is to leave the deployment once its transaction is committed: mails. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint, text

from .base import Document, at_column, metadata, tenant_column, text_column

_WAITING = text("sent_at IS NULL AND parked_at IS NULL")
_PLATFORM = text("tenant_id IS NULL")

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(nullable=True),
    text_column("kind"),
    text_column("recipient"),
    Column("payload", Document, nullable=False),
    text_column("dedupe"),
    at_column("created_at"),
    at_column("due_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("claim", Text, nullable=True),
    at_column("sent_at", nullable=True),
    at_column("parked_at", nullable=True),
    Column("last_error", Text, nullable=True),
    UniqueConstraint("tenant_id", "dedupe"),
    Index("uq_outbox_platform_dedupe", "dedupe", unique=True, postgresql_where=_PLATFORM, sqlite_where=_PLATFORM),
    Index("ix_outbox_waiting", "due_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
    Index(None, "tenant_id", "parked_at"),
)
"""`claim`: who is delivering it, until `due_at`, when it may be claimed again; `parked_at`: given up, for a person.

A mail to the operator has no tenant.
"""
