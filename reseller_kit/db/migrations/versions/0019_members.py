"""Log-ins of members: passwords, second factors, sessions, links; the platform's tenant; a lock on the audit log."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ACCOUNTS = (
    "reseller_wallet",
    "reseller_accrual",
    "credit_issued",
    "reseller_revenue",
    "breakage",
    "deposits",
    "customer_cash",
    "payouts",
    "wholesale_revenue",
    "upstream_cost",
    "upstream_payable",
)


def upgrade() -> None:
    op.add_column("member", sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False))
    for name in ("password_hash", "totp_key_id"):
        op.add_column("member", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("member", sa.Column("totp_sealed", sa.LargeBinary(), nullable=True))
    for name in ("password_at", "totp_at", "invited_at", "accepted_at", "seen_at"):
        op.add_column("member", sa.Column(name, _BIG, nullable=True))
    op.add_column("member", sa.Column("totp_step", _BIG, server_default=sa.text("0"), nullable=False))
    op.create_table(
        "member_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *_owner("member_session"),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("seen_at", _BIG, nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_member_session")),
        sa.UniqueConstraint("id", name=op.f("uq_member_session_id")),
    )
    op.create_table(
        "member_link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *_owner("member_link"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_member_link")),
    )
    for table in ("member_session", "member_link"):
        op.create_index(op.f(f"ix_{table}_tenant_id_member_id"), table, ["tenant_id", "member_id"])
        op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])
    _add_platform()
    _lock_the_audit_log()


def _lock_the_audit_log() -> None:
    """On PostgreSQL the application has no right to change its rows; on SQLite, which has no rights, nobody can."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_no_{event.lower()} BEFORE {event} ON audit_log"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )


def _owner(table: str) -> tuple[sa.Column[int], sa.Column[int], sa.ForeignKeyConstraint, sa.ForeignKeyConstraint]:
    return (
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("member_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f(f"fk_{table}_member_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id")),
    )


def _add_platform() -> None:
    """Where a configuration was applied already; elsewhere the first apply makes it."""
    op.execute(
        "INSERT INTO tenant (slug, name, status, theme, timezone, settings, created_at)"  # noqa: S608  # a number of ours
        f" SELECT 'platform', 'Platform', 'active', 'base', 'UTC', '{{}}', {time.time_ns() // 1000}"
        " WHERE EXISTS (SELECT 1 FROM platform)"
    )
    for kind in _ACCOUNTS:
        op.execute(
            "INSERT INTO account (tenant_id, kind, owner)"  # noqa: S608  # the names above
            f" SELECT id, '{kind}', '' FROM tenant WHERE slug = 'platform'"
        )
