"""Tenants with their domains and packages. Holds no query."""

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
    at_column("review_asked_at", nullable=True),
    at_column("offboarded_at", nullable=True),
    at_column("erase_at", nullable=True),
    at_column("erased_at", nullable=True),
)
"""`review_asked_at`: since when the team of a draft waits for the operator to open it. `offboarded_at`: since when the
storefront has left; its personal data goes at `erase_at`, and was gone at `erased_at`.

`settings`: brand, signup, wholesale, pricing, catalog, payments, email, limits, retention as in tenants.toml.
"""

domain = Table(
    "domain",
    metadata,
    id_column(),
    tenant_column(),
    text_column("host", unique=True),
    text_column("role"),
    Column("is_primary", Boolean, nullable=False),
    text_column("state"),
    text_column("source", server_default="file"),
    Column("challenge", Text, nullable=True),
    at_column("verified_at", nullable=True),
    at_column("checked_at", nullable=True),
    at_column("next_check_at", nullable=True),
    Column("found", Document, nullable=True),
    at_column("failing_since", nullable=True),
    Column("warned_days", Integer, nullable=False, server_default="0"),
    at_column("warned_at", nullable=True),
    at_column("ended_at", nullable=True),
    at_column("released_at", nullable=True),
    at_column("secured_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id"),
    Index(None, "next_check_at"),
)
"""`state`: verified | live | detached | tombstone. A host has one row for ever and never revives another's data.

`source`: file (the operator vouches for it: never checked, never detached) | console (proven by DNS). `found`: what
the last check was told (`core.domain.Found`). `ended_at`: since when it is detached or a tombstone; `released_at`:
since when another tenant may prove and take it. `secured_at`: when it was first reached over https, which is how its
certificate is known to be there.
"""

domain_claim = Table(
    "domain_claim",
    metadata,
    id_column(),
    tenant_column(),
    text_column("host"),
    text_column("role"),
    text_column("challenge"),
    at_column("expires_at"),
    at_column("checked_at", nullable=True),
    at_column("next_check_at", nullable=True),
    Column("found", Document, nullable=True),
    at_column("created_at"),
    UniqueConstraint("tenant_id", "host"),
    Index(None, "next_check_at"),
)
"""Hosts that are not proven yet. Several tenants may claim one: who proves it first gets it."""

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
