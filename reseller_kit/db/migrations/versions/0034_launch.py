"""Since when the team of a draft waits for the operator to open it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("tenant") as batch:
        batch.add_column(sa.Column("review_asked_at", big, nullable=True))
