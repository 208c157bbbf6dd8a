"""Routes and upstreams of tenants' own, and customers in groups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "own_upstream",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", document, nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_own_upstream_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_upstream")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_own_upstream_tenant_id_name")),
    )
    op.create_table(
        "tenant_route",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("cost_version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.ForeignKeyConstraint(["cost_version"], ["price_version.id"], name=op.f("fk_tenant_route_cost_version")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_tenant_route_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_route")),
        sa.UniqueConstraint(
            "tenant_id",
            "model",
            "upstream",
            "upstream_model",
            name=op.f("uq_tenant_route_tenant_id_model_upstream_upstream_model"),
        ),
    )
    op.add_column("customer", sa.Column("group_id", sa.Text(), nullable=True))
