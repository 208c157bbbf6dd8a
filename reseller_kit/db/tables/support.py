"""Support cases and announcements of a storefront. Holds no query."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from .base import at_column, id_column, metadata, tenant_column, text_column

support_case = Table(
    "support_case",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), nullable=True),
    text_column("email"),
    text_column("name", server_default=""),
    text_column("subject"),
    text_column("about", server_default=""),
    text_column("state"),
    at_column("created_at"),
    at_column("changed_at"),
    Index(None, "tenant_id", "customer_id", "id"),
    Index(None, "tenant_id", "state", "id"),
)
"""`state`: open (the team has to act) | answered | closed. `about`: the id of an order or call of the customer's.
A case without a customer came through the public form, and its address is as claimed.
"""

support_message = Table(
    "support_message",
    metadata,
    id_column(),
    tenant_column(),
    Column("case_id", Text, ForeignKey("support_case.id"), nullable=False),
    text_column("author"),
    text_column("actor"),
    text_column("body"),
    at_column("created_at"),
    Index(None, "tenant_id", "case_id"),
)
"""`author`: customer | team; `actor`: who of the team, which customers are not told."""

announcement = Table(
    "announcement",
    metadata,
    Column("id", Text, primary_key=True),
    tenant_column(),
    text_column("kind"),
    text_column("title"),
    text_column("body"),
    at_column("starts_at"),
    at_column("ends_at", nullable=True),
    at_column("withdrawn_at", nullable=True),
    at_column("created_at"),
    Index(None, "tenant_id", "id"),
)
"""`kind`: news | maintenance | incident. It stands on every page from `starts_at` to `ends_at`, and in the list ever
after, unless it is withdrawn.
"""

legal_text = Table(
    "legal_text",
    metadata,
    id_column(),
    tenant_column(),
    text_column("document"),
    text_column("lang"),
    text_column("version"),
    text_column("body"),
    at_column("created_at"),
    Index(None, "tenant_id", "document", "lang", "version", unique=True),
)
"""Every version of a legal text that a storefront has shown, in Markdown: what customers accepted can be read for ever.
"""

mail_opt_out = Table(
    "mail_opt_out",
    metadata,
    tenant_column(),
    Column("customer_id", Text, ForeignKey("customer.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    at_column("created_at"),
)
"""Mails that a customer wants no more of, by kind; only such as tell of no transaction."""
