"""Responses that are kept for their customer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    identity = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "stored_response",
        sa.Column("id", identity, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("previous_id", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("running_size", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("expires_at", big, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_response")),
    )
    op.create_index(op.f("ix_stored_response_expires_at"), "stored_response", ["expires_at"])
    op.create_index(
        op.f("ix_stored_response_tenant_id_customer_id_running_size"),
        "stored_response",
        ["tenant_id", "customer_id", "running_size"],
    )
