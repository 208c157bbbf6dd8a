"""Keys may have limits of tokens and of calls at once, beside that of requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True))
    op.add_column("api_key", sa.Column("concurrent_requests", sa.Integer(), nullable=True))
