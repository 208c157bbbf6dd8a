"""Immutable price versions, what is scheduled, and which changes were told to customers. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from .base import Document, at_column, metadata, tenant_column, text_column

price_version = Table(
    "price_version",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(nullable=True),
    text_column("level"),
    text_column("model"),
    Column("prices", Document, nullable=False),
    at_column("effective_from"),
    at_column("created_at"),
    Index(None, "tenant_id", "model", "level", "effective_from"),
    Index(None, "effective_from"),
)
"""Immutable, dated price lists. Integers in pico-USD per unit.

`level`: cost (tenant_id null) | provider | wholesale | retail, or retail:GROUP for a group of customers.
"""

scheduled_price = Table(
    "scheduled_price",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("match", Text, nullable=True),
    Column("terms", Document, nullable=False),
    at_column("effective_from"),
    text_column("state", server_default="waiting"),
    Column("reason", Text, nullable=True),
    text_column("actor"),
    at_column("created_at"),
    at_column("ended_at", nullable=True),
    Index(None, "state", "effective_from"),
    Index(None, "tenant_id", "id"),
)
"""A change of retail prices that begins later. `state`: waiting | begun | held | cancelled; `reason`: why it was held.

`terms`: markup_ppm, prices (pico-USD per unit by class), allow_loss and group.
"""

price_notice = Table(
    "price_notice",
    metadata,
    tenant_column(),
    at_column("effective_from"),
    text_column("newest_version"),
    at_column("told_at"),
    PrimaryKeyConstraint("tenant_id", "effective_from"),
)
"""Up to which version the customers were told of the retail prices that change at a moment."""
