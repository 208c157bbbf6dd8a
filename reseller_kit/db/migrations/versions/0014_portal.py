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
    _make_totals(big)
    failed = sa.text("status <> 'ok'")
    op.create_index(
        "ix_usage_record_not_ok",
        "usage_record",
        ["tenant_id", "customer_id", "id"],
        postgresql_where=failed,
        sqlite_where=failed,
    )


def _make_totals(big: sa.types.TypeEngine[int]) -> None:
    """A customer's sums by quarter of all its calls, and by day of each model and key, from the rollups there are."""
    op.create_table(
        "usage_total",
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("at", big, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        *(sa.Column(name, big, nullable=False) for name in ("calls", "input_tokens", "output_tokens", "retail_nano")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "customer_id", "grain", "at", "model", "key_id", name=op.f("pk_usage_total")
        ),
        sqlite_with_rowid=False,
    )
    for grain, at, model, key in (
        ("quarter", "quarter_at", "''", "''"),
        ("day", "quarter_at - quarter_at % 86400000000", "model", "key_id"),
    ):
        groups = ", ".join(part for part in ("tenant_id", "customer_id", at, model, key) if part != "''")
        op.execute(
            f"INSERT INTO usage_total SELECT tenant_id, customer_id, '{grain}', {at}, {model}, {key},"  # noqa: S608  # names of ours
            " CAST(sum(calls) AS BIGINT), CAST(sum(input + cached_input + cache_write + cache_write_1h) AS BIGINT),"
            " CAST(sum(output) AS BIGINT), CAST(sum(retail_nano) AS BIGINT)"
            f" FROM usage_rollup WHERE customer_id <> '' GROUP BY {groups}"
        )
