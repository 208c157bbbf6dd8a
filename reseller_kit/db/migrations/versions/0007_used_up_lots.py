"""Lots say that they are used up; indexes of lots go by that instead of by what remains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = {"ix_lot_spendable": "wallet_id", "ix_lot_expiring": "expires_at"}


def upgrade() -> None:
    op.add_column("lot", sa.Column("used_up", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("UPDATE lot SET used_up = true WHERE remaining_nano = 0")
    for name, column in _INDEXES.items():
        op.drop_index(name, table_name="lot")
        op.create_index(
            name, "lot", [column], postgresql_where=sa.text("NOT used_up"), sqlite_where=sa.text("NOT used_up")
        )
    if op.get_bind().dialect.name == "postgresql":
        # Rows that every call updates: room on their page lets PostgreSQL leave the indexes alone.
        for table in ("account", "lot", "key_window"):
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
