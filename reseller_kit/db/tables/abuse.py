"""Reports of abuse. Holds no query."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, text

from .base import at_column, metadata, tenant_column, text_column

_REFERENCED = text("reference <> ''")
_ENDING = text("until IS NOT NULL")

abuse_report = Table(
    "abuse_report",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=False),
    text_column("category"),
    text_column("body"),
    text_column("request_id", server_default=""),
    at_column("happened_at", nullable=True),
    text_column("state"),
    Column("forced", Boolean, nullable=False, server_default=text("false")),
    text_column("reason", server_default=""),
    at_column("restricted_at", nullable=True),
    at_column("until", nullable=True),
    text_column("appeal", server_default=""),
    at_column("appealed_at", nullable=True),
    text_column("answer", server_default=""),
    at_column("answered_at", nullable=True),
    at_column("created_at"),
    at_column("changed_at"),
    text_column("upstream"),
    text_column("end_user"),
    text_column("reference", server_default=""),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "tenant_id", "state", "id"),
    Index(
        "ix_abuse_report_reference",
        "upstream",
        "reference",
        unique=True,
        postgresql_where=_REFERENCED,
        sqlite_where=_REFERENCED,
    ),
    Index("ix_abuse_report_until", "until", postgresql_where=_ENDING, sqlite_where=_ENDING),
)
"""`state`: open | restricted | appealed | upheld | lifted | dismissed. `body`: the operator's words for the reseller;
`reason`: what the customer reads. `forced`: the operator restricted, and alone lifts.
"""

OF_OPERATOR: Final = frozenset({"upstream", "end_user", "reference"})
"""Columns that no reseller reads: who reported, under which name and number."""
