"""Reports of abuse, and restrictions of customers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("restricted_at", big, nullable=True))
        batch.add_column(sa.Column("restricted_until", big, nullable=True))
        batch.add_column(sa.Column("restrict_reason", sa.Text(), nullable=True))
    op.create_table(
        "abuse_report",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.Column("happened_at", big, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("forced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("restricted_at", big, nullable=True),
        sa.Column("until", big, nullable=True),
        sa.Column("appeal", sa.Text(), server_default="", nullable=False),
        sa.Column("appealed_at", big, nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("answered_at", big, nullable=True),
        sa.Column("created_at", big, nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("end_user", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_abuse_report_customer_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_abuse_report_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_abuse_report")),
    )
    op.create_index(
        op.f("ix_abuse_report_tenant_id_customer_id_id"), "abuse_report", ["tenant_id", "customer_id", "id"]
    )
    op.create_index(op.f("ix_abuse_report_tenant_id_state_id"), "abuse_report", ["tenant_id", "state", "id"])
    _partial("ix_abuse_report_reference", ["upstream", "reference"], "reference <> ''", unique=True)
    _partial("ix_abuse_report_until", ["until"], "until IS NOT NULL")


def _partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "abuse_report", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
