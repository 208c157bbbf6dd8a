"""Revenue share: an account of accrued cash for each tenant, payouts, notices of low balances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    zero = sa.text("0")
    op.add_column("lot", sa.Column("accrued_nano", _BIG, server_default=zero, nullable=False))
    paid = sa.text("cash_nano > 0")
    op.create_index("ix_lot_paid", "lot", ["id"], postgresql_where=paid, sqlite_where=paid)
    op.create_table(
        "payout",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("txn_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("reject_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_at", _BIG, nullable=False),
        sa.Column("approved_at", _BIG, nullable=True),
        sa.Column("rejected_at", _BIG, nullable=True),
        sa.Column("paid_at", _BIG, nullable=True),
        sa.CheckConstraint("amount_nano > 0", name=op.f("ck_payout_positive")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_payout_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout")),
    )
    op.create_index(op.f("ix_payout_tenant_id_id"), "payout", ["tenant_id", "id"])
    op.create_table(
        "balance_notice",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("threshold_nano", sa.BigInteger(), nullable=False),
        sa.Column("balance_nano", sa.BigInteger(), nullable=False),
        sa.Column("told_at", _BIG, nullable=False),
        sa.Column("lifted_at", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_balance_notice_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_notice")),
    )
    is_open = sa.text("lifted_at IS NULL")
    op.create_index(
        "ix_balance_notice_open",
        "balance_notice",
        ["tenant_id", "threshold_nano"],
        unique=True,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
    for kind in ("reseller_accrual", "customer_cash", "payouts"):
        op.execute(f"INSERT INTO account (tenant_id, kind, owner) SELECT id, '{kind}', '' FROM tenant")  # noqa: S608  # the names above
