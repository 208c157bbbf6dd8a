"""Daily allowances of credit and what is used of them; since when a payment provider can't be asked, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("lot", sa.Column("daily_nano", sa.BigInteger(), nullable=True))
    op.add_column("payment_poll", sa.Column("failed_at", big, nullable=True))
    op.add_column("payment_poll", sa.Column("failure", sa.Text(), nullable=True))
    op.create_table(
        "lot_day",
        sa.Column("lot_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("day", big, nullable=False),
        sa.Column("used_nano", big, nullable=False, server_default=sa.text("0")),
        sa.CheckConstraint("used_nano >= 0", name=op.f("ck_lot_day_not_negative")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot_day")),
        sqlite_with_rowid=False,
    )
