"""What payment providers told, refunds asked of them, and how far each order is settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_UNSETTLED = sa.text("settled_version < facts_version")
_WAITING = sa.text("processed_at IS NULL AND parked_at IS NULL")
_IN_QUESTION = sa.text("problem <> ''")
_ASKED = sa.text("state = 'asked'")


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("purchase_order", sa.Column("cancelled_at", big, nullable=True))
    op.add_column("purchase_order", sa.Column("facts_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("purchase_order", sa.Column("settled_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("purchase_order", sa.Column("settle_claim", sa.Text(), nullable=True))
    op.add_column("purchase_order", sa.Column("settle_until", big, nullable=True))
    op.create_index(
        "ix_purchase_order_unsettled",
        "purchase_order",
        ["id"],
        postgresql_where=_UNSETTLED,
        sqlite_where=_UNSETTLED,
    )
    op.execute("UPDATE purchase_order SET cancelled_at = changed_at WHERE state = 'cancelled'")
    op.create_table(
        "inbox",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occurred_at", big, nullable=False),
        sa.Column("fact", document, nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", big, nullable=False),
        sa.Column("due_at", big, nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("processed_at", big, nullable=True),
        sa.Column("parked_at", big, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_inbox_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("tenant_id", "provider", "event_id", name=op.f("uq_inbox_tenant_id_provider_event_id")),
    )
    op.create_index("ix_inbox_waiting", "inbox", ["due_at"], postgresql_where=_WAITING, sqlite_where=_WAITING)
    op.create_index(op.f("ix_inbox_received_at"), "inbox", ["received_at"])
    op.create_table(
        "payment_fact",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("payment_ref", sa.Text(), nullable=True),
        sa.Column("subscription_ref", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", document, nullable=False),
        sa.Column("decision", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("occurred_at", big, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("changed_at", big, nullable=False),
        sa.CheckConstraint("kind IN ('payment', 'adjustment', 'subscription')", name=op.f("ck_payment_fact_kind")),
        sa.CheckConstraint("decision IN ('', 'accepted', 'dismissed')", name=op.f("ck_payment_fact_decision")),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_payment_fact_order_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_payment_fact_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_fact")),
        sa.UniqueConstraint(
            "tenant_id", "provider", "kind", "ref", name=op.f("uq_payment_fact_tenant_id_provider_kind_ref")
        ),
    )
    op.create_index(op.f("ix_payment_fact_tenant_id_order_id"), "payment_fact", ["tenant_id", "order_id"])
    op.create_index(
        "ix_payment_fact_in_question", "payment_fact", ["id"], postgresql_where=_IN_QUESTION, sqlite_where=_IN_QUESTION
    )
    for name in ("payment_ref", "subscription_ref"):
        op.create_index(
            op.f(f"ix_payment_fact_tenant_id_provider_{name}"), "payment_fact", ["tenant_id", "provider", name]
        )
    op.create_table(
        "payment_refund",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("payment_ref", sa.Text(), nullable=False),
        sa.Column("adjustment_ref", sa.Text(), nullable=True),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", big, nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("created_at", big, nullable=False),
        sa.Column("ended_at", big, nullable=True),
        sa.CheckConstraint("minor > 0", name=op.f("ck_payment_refund_positive")),
        sa.CheckConstraint(
            "state IN ('asked', 'pending', 'approved', 'rejected', 'refused', 'superseded')",
            name=op.f("ck_payment_refund_state"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name=op.f("fk_payment_refund_order_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_payment_refund_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_refund")),
        sa.UniqueConstraint(
            "tenant_id",
            "provider",
            "adjustment_ref",
            name=op.f("uq_payment_refund_tenant_id_provider_adjustment_ref"),
        ),
    )
    op.create_index(op.f("ix_payment_refund_tenant_id_order_id"), "payment_refund", ["tenant_id", "order_id"])
    op.create_index(
        "ix_payment_refund_asked", "payment_refund", ["due_at"], postgresql_where=_ASKED, sqlite_where=_ASKED
    )
    op.create_table(
        "payment_poll",
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("polled_to", big, nullable=False),
        sa.Column("due_at", big, nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_payment_poll_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "provider", name=op.f("pk_payment_poll")),
    )
