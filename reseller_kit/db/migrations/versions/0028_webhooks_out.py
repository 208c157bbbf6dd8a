"""Webhooks to resellers' own systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "hook_endpoint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("events", document, nullable=False),
        sa.Column("sealed_by", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("old_sealed_by", sa.Text(), nullable=True),
        sa.Column("old_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", big, nullable=True),
        sa.Column("failing_since", big, nullable=True),
        sa.Column("disabled_at", big, nullable=True),
        sa.Column("disabled_why", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_hook_endpoint_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_endpoint")),
    )
    op.create_index(op.f("ix_hook_endpoint_tenant_id"), "hook_endpoint", ["tenant_id"])
    op.create_table(
        "hook_delivery",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", big, nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("created_at", big, nullable=False),
        sa.Column("ended_at", big, nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["hook_endpoint.id"], name=op.f("fk_hook_delivery_endpoint_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_hook_delivery_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_delivery")),
        sa.UniqueConstraint("endpoint_id", "event_id", name=op.f("uq_hook_delivery_endpoint_id_event_id")),
    )
    op.create_index(
        op.f("ix_hook_delivery_tenant_id_endpoint_id_id"), "hook_delivery", ["tenant_id", "endpoint_id", "id"]
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_hook_delivery_waiting", "hook_delivery", ["due_at"], postgresql_where=waiting, sqlite_where=waiting
    )
    op.create_table(
        "hook_attempt",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["hook_delivery.id"], name=op.f("fk_hook_attempt_delivery_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_hook_attempt_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_attempt")),
    )
    op.create_index(op.f("ix_hook_attempt_tenant_id_delivery_id"), "hook_attempt", ["tenant_id", "delivery_id"])
