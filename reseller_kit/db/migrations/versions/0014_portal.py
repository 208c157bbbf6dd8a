"""The customer portal: where a key may be used from and when it was, alerts about spending, calls that failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    op.add_column("api_key", sa.Column("allow_ips", document, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("api_key", sa.Column("last_used_at", big, nullable=True))
    op.create_table(
        "spend_alert",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("threshold_nano", big, nullable=False),
        sa.Column("told_period_at", big, nullable=True),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_spend_alert_tenant_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_spend_alert_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_alert")),
    )
    op.create_index(op.f("ix_spend_alert_tenant_id_customer_id"), "spend_alert", ["tenant_id", "customer_id"])
    failed = sa.text("status <> 'ok'")
    op.create_index(
        "ix_usage_record_not_ok",
        "usage_record",
        ["tenant_id", "customer_id", "id"],
        postgresql_where=failed,
        sqlite_where=failed,
    )
