"""Immutable price versions. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

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
)
"""Immutable, dated price lists. `level`: cost (tenant_id null) | wholesale | retail. Integers in pico-USD per unit."""
