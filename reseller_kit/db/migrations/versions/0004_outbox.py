"""The outbox, and prices that begin later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("due_at", big, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("sent_at", big, nullable=True),
        sa.Column("parked_at", big, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_outbox_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("tenant_id", "dedupe", name=op.f("uq_outbox_tenant_id_dedupe")),
    )
    waiting = sa.text("sent_at IS NULL AND parked_at IS NULL")
    op.create_index("ix_outbox_waiting", "outbox", ["due_at"], postgresql_where=waiting, sqlite_where=waiting)
    op.create_index(op.f("ix_outbox_tenant_id_parked_at"), "outbox", ["tenant_id", "parked_at"])
