"""Vouchers, clawbacks, charges above holds; periods of key limits by their date."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_DAY_US = 86_400 * 1_000_000


def upgrade() -> None:
    op.create_table(
        "voucher",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("models", _JSON, nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("expires_at", _BIG, nullable=True),
        sa.Column("max_redemptions", sa.Integer(), nullable=False),
        sa.Column("redeemed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revoked_at", _BIG, nullable=True),
        sa.Column("created_at", _BIG, nullable=False),
        sa.CheckConstraint("0 <= redeemed AND redeemed <= max_redemptions", name=op.f("ck_voucher_not_overused")),
        sa.CheckConstraint("amount_nano > 0", name=op.f("ck_voucher_positive")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_voucher_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher")),
        sa.UniqueConstraint("digest", name=op.f("uq_voucher_digest")),
    )
    op.create_index(op.f("ix_voucher_tenant_id_batch"), "voucher", ["tenant_id", "batch"])
    op.create_table(
        "voucher_redemption",
        sa.Column("voucher_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("lot_id", sa.Text(), nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["voucher_id"], ["voucher.id"], name=op.f("fk_voucher_redemption_voucher_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_voucher_redemption_customer_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_voucher_redemption_tenant_id")),
        sa.PrimaryKeyConstraint("voucher_id", "customer_id", name=op.f("pk_voucher_redemption")),
    )
    op.create_table(
        "clawback",
        sa.Column("lot_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("free_nano", _BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("expired_nano", _BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("debt_nano", _BIG, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "free_nano >= 0 AND expired_nano >= 0 AND debt_nano >= 0", name=op.f("ck_clawback_not_negative")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_clawback_lot_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_clawback_tenant_id")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_clawback")),
    )
    op.create_table(
        "overage",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_overage")),
        sqlite_with_rowid=False,
    )
    _name_periods_by_date()


def _name_periods_by_date() -> None:
    """A period was named by the moment at which it began in the tenant's zone; now by the date of that moment.

    By way of negative numbers, so that no new name meets an old one; periods that fall together are added up.
    """
    connection = op.get_bind()
    for tenant_id, timezone in connection.execute(sa.text("SELECT id, timezone FROM tenant WHERE timezone <> 'UTC'")):
        started = connection.scalars(
            sa.text("SELECT DISTINCT started_at FROM key_window WHERE tenant_id = :tenant AND started_at > 0"),
            {"tenant": tenant_id},
        )
        for old in started.all():
            values = {"tenant": tenant_id, "old": old, "new": -_date_of(old, timezone)}
            for statement in _RENAME:
                connection.execute(sa.text(statement), values)
        for statement in _SETTLE:
            connection.execute(sa.text(statement), {"tenant": tenant_id})


_RENAME = (
    """
    UPDATE key_window SET
        spent_nano = spent_nano + (
            SELECT o.spent_nano FROM key_window AS o WHERE o.key_id = key_window.key_id AND o.started_at = :old
        ),
        reserved_nano = reserved_nano + (
            SELECT o.reserved_nano FROM key_window AS o WHERE o.key_id = key_window.key_id AND o.started_at = :old
        )
    WHERE tenant_id = :tenant AND started_at = :new
        AND EXISTS (SELECT 1 FROM key_window AS o WHERE o.key_id = key_window.key_id AND o.started_at = :old)
    """,
    """
    DELETE FROM key_window
    WHERE tenant_id = :tenant AND started_at = :old
        AND EXISTS (SELECT 1 FROM key_window AS o WHERE o.key_id = key_window.key_id AND o.started_at = :new)
    """,
    "UPDATE key_window SET started_at = :new WHERE tenant_id = :tenant AND started_at = :old",
    "UPDATE hold SET window_started_at = :new WHERE tenant_id = :tenant AND window_started_at = :old",
)
_SETTLE = (
    "UPDATE key_window SET started_at = -started_at WHERE tenant_id = :tenant AND started_at < -1",
    "UPDATE hold SET window_started_at = -window_started_at WHERE tenant_id = :tenant AND window_started_at < -1",
)


def _date_of(at_us: int, timezone: str) -> int:
    day = datetime.fromtimestamp(at_us // 1_000_000, ZoneInfo(timezone)).date()
    return (day.toordinal() - datetime(1970, 1, 1).toordinal()) * _DAY_US  # noqa: DTZ001  # a date without a zone
