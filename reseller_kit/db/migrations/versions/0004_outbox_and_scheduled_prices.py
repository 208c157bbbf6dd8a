"""The outbox, prices that begin later, and which changes of price were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
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
    op.create_index(op.f("ix_price_version_effective_from"), "price_version", ["effective_from"])
    op.create_table(
        "scheduled_price",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("match", sa.Text(), nullable=True),
        sa.Column("terms", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("effective_from", big, nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("ended_at", big, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_scheduled_price_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_price")),
    )
    op.create_index(op.f("ix_scheduled_price_state_effective_from"), "scheduled_price", ["state", "effective_from"])
    op.create_index(op.f("ix_scheduled_price_tenant_id_id"), "scheduled_price", ["tenant_id", "id"])
    op.create_table(
        "price_notice",
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("effective_from", big, nullable=False),
        sa.Column("newest_version", sa.Text(), nullable=False),
        sa.Column("told_at", big, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_price_notice_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "effective_from", name=op.f("pk_price_notice")),
    )
