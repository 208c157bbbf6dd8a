"""Tenants with their domains, members and packages. Holds no query."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from .base import Document, at_column, id_column, metadata, tenant_column, text_column

tenant = Table(
    "tenant",
    metadata,
    id_column(),
    text_column("slug", unique=True),
    text_column("name"),
    text_column("status"),
    at_column("suspended_at", nullable=True),
    Column("suspend_reason", Text, nullable=True),
    text_column("theme"),
    text_column("timezone"),
    Column("settings", Document, nullable=False),
    at_column("created_at"),
)
"""`settings`: brand, signup, wholesale, pricing, catalog, payments, email, limits, retention as in tenants.toml."""

domain = Table(
    "domain",
    metadata,
    id_column(),
    tenant_column(),
    text_column("host", unique=True),
    text_column("role"),
    Column("is_primary", Boolean, nullable=False),
    text_column("state"),
    at_column("created_at"),
    Index(None, "tenant_id"),
)
"""`state`: live | detached | tombstone. A host has one row for ever, so it never revives another tenant's data."""

member = Table(
    "member",
    metadata,
    id_column(),
    tenant_column(),
    text_column("email"),
    text_column("role"),
    text_column("status"),
    at_column("created_at"),
    UniqueConstraint("tenant_id", "email"),
)

package = Table(
    "package",
    metadata,
    id_column(),
    tenant_column(),
    text_column("code"),
    Column("version", Integer, nullable=False),
    Column("terms", Document, nullable=False),
    text_column("status"),
    at_column("created_at"),
    UniqueConstraint("tenant_id", "code", "version"),
)
"""Immutable versions of what can be bought; the newest version of a code with status `offered` is on the page."""
