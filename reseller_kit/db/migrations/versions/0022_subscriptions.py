"""Subscriptions, the orders that are their periods, and when customers are told of low credit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("purchase_order", sa.Column("subscription_id", sa.Text(), nullable=True))
    op.add_column("purchase_order", sa.Column("period_starts_at", big, nullable=True))
    op.add_column("purchase_order", sa.Column("period_ends_at", big, nullable=True))
    named = sa.text("subscription_id IS NOT NULL")
    op.create_index(
        "ix_purchase_order_subscription",
        "purchase_order",
        ["subscription_id"],
        postgresql_where=named,
        sqlite_where=named,
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("package_id", big, nullable=False),
        sa.Column("next_package_id", big, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("pin", document, nullable=True),
        sa.Column("anchor_at", big, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("period_starts_at", big, nullable=False),
        sa.Column("period_ends_at", big, nullable=False),
        sa.Column("cancel_at", big, nullable=True),
        sa.Column("told_at", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_subscription_customer_id")),
        sa.ForeignKeyConstraint(["next_package_id"], ["package.id"], name=op.f("fk_subscription_next_package_id")),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_subscription_order_id")),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_subscription_package_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_subscription_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("order_id", name=op.f("uq_subscription_order_id")),
        sa.UniqueConstraint(
            "tenant_id", "provider", "provider_ref", name=op.f("uq_subscription_tenant_id_provider_provider_ref")
        ),
    )
    op.create_index(
        op.f("ix_subscription_tenant_id_customer_id_id"), "subscription", ["tenant_id", "customer_id", "id"]
    )
    op.create_index(op.f("ix_subscription_state_period_ends_at"), "subscription", ["state", "period_ends_at"])
    op.create_table(
        "credit_alert",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("thresholds", document, nullable=True),
        sa.Column("told", sa.Text(), server_default="[]", nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_credit_alert_customer_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_credit_alert_tenant_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_credit_alert")),
    )
