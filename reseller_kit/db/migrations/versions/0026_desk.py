"""Notes about customers, and suspensions that end by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("suspended_until", big, nullable=True))
    op.create_index(
        "ix_customer_suspended_until",
        "customer",
        ["suspended_until"],
        sqlite_where=sa.text("suspended_until IS NOT NULL"),
        postgresql_where=sa.text("suspended_until IS NOT NULL"),
    )
    op.create_table(
        "customer_note",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_note_customer_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_customer_note_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_note")),
    )
    op.create_index(op.f("ix_customer_note_tenant_id_customer_id"), "customer_note", ["tenant_id", "customer_id"])
