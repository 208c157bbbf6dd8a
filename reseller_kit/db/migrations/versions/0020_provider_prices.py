"""What payment providers call the versions of packages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "provider_price",
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("package_id", big, nullable=False),
        sa.Column("product_ref", sa.Text(), nullable=False),
        sa.Column("price_ref", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("synced_at", big, nullable=False),
        sa.Column("withdrawn_at", big, nullable=True),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_provider_price_package_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_provider_price_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "provider", "account", "package_id", name=op.f("pk_provider_price")),
    )
