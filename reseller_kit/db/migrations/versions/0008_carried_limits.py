"""A key that takes another one's place carries on in its limit period."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    carried = sa.Column(
        "carried_nano",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        server_default=sa.text("0"),
        nullable=False,
    )
    op.add_column("key_window", carried)
