"""What a reseller's brand editor keeps: revisions of the face and the pictures in it. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Table, Text

from .base import BigInt, Document, at_column, metadata, text_column

brand_revision = Table(
    "brand_revision",
    metadata,
    Column("tenant_id", BigInt, ForeignKey("tenant.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    text_column("state"),
    Column("content", Document, nullable=False),
    text_column("origin"),
    text_column("author"),
    at_column("created_at"),
    at_column("changed_at"),
    at_column("published_at", nullable=True),
)
"""`number`: 0 for the one draft, then in the order of publication. `state`: draft | published | superseded.
`origin`: edited | outside (set by the file or the command line before) | restored:<number>.
"""

brand_image = Table(
    "brand_image",
    metadata,
    Column("tenant_id", BigInt, ForeignKey("tenant.id"), primary_key=True, autoincrement=False),
    Column("sha256", Text, primary_key=True),
    text_column("kind"),
    text_column("content_type"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    text_column("author"),
    at_column("created_at"),
)
"""Encoded here from what was uploaded, at most 512 KiB each; `sha256` of `body`. `kind`: where it was uploaded for."""
