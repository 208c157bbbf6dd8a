"""How calls went by day and model, for status pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "model_day",
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("day_at", big, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("calls", big, nullable=False),
        sa.Column("failures", big, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day_at", "model", name=op.f("pk_model_day")),
        sqlite_with_rowid=False,
    )
    # What is rolled up already; the mark goes on from there.
    op.execute(
        "INSERT INTO model_day SELECT tenant_id, created_at - created_at % 86400000000, model, count(*),"
        " sum(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) FROM usage_record"
        " WHERE status <> 'refused' AND settled_at < (SELECT at FROM rollup_mark WHERE name = 'rolled')"
        " GROUP BY 1, 2, 3"
    )
