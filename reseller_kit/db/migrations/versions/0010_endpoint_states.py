"""The circuits of upstreams and their models, shared between processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "endpoint_state",
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("upstream_model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", big, nullable=False),
        sa.Column("probe_until", big, nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.PrimaryKeyConstraint("upstream", "upstream_model", name=op.f("pk_endpoint_state")),
    )
