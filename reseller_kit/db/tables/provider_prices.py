"""What payment providers call the versions of packages. Holds no query."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from .base import BigInt, at_column, metadata, tenant_column, text_column

provider_price = Table(
    "provider_price",
    metadata,
    tenant_column(),
    text_column("provider"),
    text_column("account"),
    Column("package_id", BigInt, ForeignKey("package.id"), nullable=False),
    text_column("product_ref"),
    Column("price_ref", Text, nullable=True),
    text_column("currency"),
    Column("minor", BigInteger, nullable=True),
    at_column("synced_at"),
    at_column("withdrawn_at", nullable=True),
    PrimaryKeyConstraint("tenant_id", "provider", "account", "package_id"),
)
"""`account` tells accounts at one provider apart: a name made in one means nothing in another. Without `price_ref` and
`minor` each purchase has a price of its own."""
