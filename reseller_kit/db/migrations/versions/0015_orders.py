"""Orders with their timelines and receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "purchase_order",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("package_id", big, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("provider_facts", document, nullable=False),
        sa.Column("price_nano", sa.BigInteger(), nullable=False),
        sa.Column("credits_nano", sa.BigInteger(), nullable=False),
        sa.Column("refunded_nano", big, server_default=sa.text("0"), nullable=False),
        sa.Column("terms_hash", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("lot_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("paid_at", big, nullable=True),
        sa.Column("lapses_at", big, nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.CheckConstraint("price_nano >= 0 AND credits_nano > 0", name=op.f("ck_purchase_order_amounts")),
        sa.CheckConstraint(
            "0 <= refunded_nano AND refunded_nano <= price_nano", name=op.f("ck_purchase_order_refunded")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_purchase_order_customer_id")),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_purchase_order_package_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_purchase_order_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order")),
        sa.UniqueConstraint(
            "tenant_id", "provider", "provider_ref", name=op.f("uq_purchase_order_tenant_id_provider_provider_ref")
        ),
        sa.UniqueConstraint(
            "tenant_id", "customer_id", "request_key", name=op.f("uq_purchase_order_tenant_id_customer_id_request_key")
        ),
    )
    op.create_index(
        op.f("ix_purchase_order_tenant_id_customer_id_id"), "purchase_order", ["tenant_id", "customer_id", "id"]
    )
    op.create_index(op.f("ix_purchase_order_state_lapses_at"), "purchase_order", ["state", "lapses_at"])
    op.create_table(
        "order_event",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("facts", document, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_order_event_order_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_order_event_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_event")),
    )
    op.create_index(op.f("ix_order_event_tenant_id_order_id"), "order_event", ["tenant_id", "order_id"])
    op.create_table(
        "receipt",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", document, nullable=False),
        sa.Column("issued_at", big, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_receipt_order_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_receipt_tenant_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("tenant_id", "year", "number", name=op.f("uq_receipt_tenant_id_year_number")),
    )
