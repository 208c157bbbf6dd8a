"""Webhooks to a reseller's own systems: where they go, what waits, and how each attempt ended. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from .base import Document, at_column, id_column, metadata, tenant_column, text_column

_WAITING = text("state = 'waiting'")

hook_endpoint = Table(
    "hook_endpoint",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    text_column("url"),
    text_column("description"),
    Column("events", Document, nullable=False),
    text_column("sealed_by"),
    Column("sealed", LargeBinary, nullable=False),
    Column("old_sealed_by", Text, nullable=True),
    Column("old_sealed", LargeBinary, nullable=True),
    at_column("old_until", nullable=True),
    at_column("failing_since", nullable=True),
    at_column("disabled_at", nullable=True),
    text_column("disabled_why"),
    at_column("created_at"),
    Index(None, "tenant_id"),
)
"""`events`: the chosen ones, or `*`. `old_*`: the secret before the last rotation, which signs as well until then.

`disabled_why`: "" while it is on; else hand, gone or failing.
"""

hook_delivery = Table(
    "hook_delivery",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("endpoint_id", Text, ForeignKey("hook_endpoint.id"), nullable=False),
    text_column("event_id"),
    text_column("type"),
    text_column("body"),
    text_column("state"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at_column("due_at"),
    Column("claim", Text, nullable=True),
    at_column("created_at"),
    at_column("ended_at", nullable=True),
    UniqueConstraint("endpoint_id", "event_id"),
    Index(None, "tenant_id", "endpoint_id", "id"),
    Index("ix_hook_delivery_waiting", "due_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
)
"""An event for one endpoint. `state`: waiting | delivered | failed; `attempts`: since it was put out or sent again;
`claim`: who delivers it, until `due_at`, when it may be claimed again.
"""

hook_attempt = Table(
    "hook_attempt",
    metadata,
    id_column(),
    tenant_column(),
    Column("delivery_id", Text, ForeignKey("hook_delivery.id"), nullable=False),
    at_column("created_at"),
    Column("status", Integer, nullable=True),
    Column("duration_ms", Integer, nullable=False),
    text_column("answer"),
    text_column("error"),
    Index(None, "tenant_id", "delivery_id"),
)
"""How a try ended: the answer's status and how it began, or why there was none."""
