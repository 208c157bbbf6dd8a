"""What is known of upstreams' keys, and mails to the operator, which have no tenant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "upstream_key_state",
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", big, nullable=False),
        sa.Column("until_at", big, nullable=True),
        sa.Column("checked_at", big, nullable=False),
        sa.PrimaryKeyConstraint("upstream", "fingerprint", name=op.f("pk_upstream_key_state")),
    )
    with op.batch_alter_table("outbox") as batch:
        batch.alter_column("tenant_id", existing_type=big, nullable=True)
    platform = sa.text("tenant_id IS NULL")
    op.create_index(
        "uq_outbox_platform_dedupe",
        "outbox",
        ["dedupe"],
        unique=True,
        postgresql_where=platform,
        sqlite_where=platform,
    )
