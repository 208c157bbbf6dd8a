"""What the deployment keeps of itself: settings, secrets, revisions, leases, the audit log. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, text

from .base import BigInt, Document, at_column, id_column, metadata, tenant_column, text_column

platform = Table(
    "platform",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("settings", Document, nullable=False),
    at_column("updated_at"),
)
"""One row: `[platform]` and the default `[wholesale]` of tenants.toml."""

applied_manifest = Table(
    "applied_manifest",
    metadata,
    id_column(),
    Column("resources", Document, nullable=False),
    at_column("applied_at"),
)
"""The desired state of each apply, newest last: the base of the three-way merge."""

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("fingerprint", Text, nullable=False),
    at_column("updated_at"),
)
"""Encrypted values: `data_key:<id>`, `pepper`, and what apply resolved from env: and file: references."""

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""One row, raised by every write of routing, key, price or state data; its lock orders the writers."""

revision_change = Table(
    "revision_change",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    text_column("kind"),
    text_column("ref", server_default=""),
)
"""What each revision changed, so that a running process refreshes no more than that."""

lease = Table(
    "lease",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    at_column("renewed_at"),
    Column("schema", Text, nullable=False, server_default=""),
    Column("settled_from", BigInt, nullable=False, server_default=text("0")),
)
"""One row a serving process, renewed each second; holds belong to (owner, epoch).

`settled_from`: the process stamps no settle earlier than this, whatever its clock says; see `operator_rollups`.
"""

audit_log = Table(
    "audit_log",
    metadata,
    id_column(),
    tenant_column(nullable=True),
    text_column("actor"),
    text_column("action"),
    text_column("kind"),
    text_column("ref"),
    Column("before", Document, nullable=True),
    Column("after", Document, nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "id"),
)
