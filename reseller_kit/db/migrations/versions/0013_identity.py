"""Log-ins of customers: passwords, sessions, second factors, throttles, accepted terms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _extend_customers()
    _create_logins()
    _create_passkeys()
    _create_short_lived()
    op.create_table(
        "terms_acceptance",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("accepted_at", _BIG, nullable=False),
        *_owner("terms_acceptance"),
        sa.PrimaryKeyConstraint("customer_id", "version", name=op.f("pk_terms_acceptance")),
    )


def _extend_customers() -> None:
    for name in ("locale", "timezone"):
        op.add_column("customer", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("customer", sa.Column("delete_at", _BIG, nullable=True))
    closing = sa.text("status = 'closing'")
    op.create_index("ix_customer_delete_at", "customer", ["delete_at"], postgresql_where=closing, sqlite_where=closing)
    op.add_column("customer_link", sa.Column("detail", _JSON, nullable=True))
    op.create_index(op.f("ix_customer_link_tenant_id_customer_id"), "customer_link", ["tenant_id", "customer_id"])


def _create_logins() -> None:
    op.create_table(
        "customer_login",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_at", _BIG, nullable=True),
        sa.Column("totp_key_id", sa.Text(), nullable=True),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_at", _BIG, nullable=True),
        sa.Column("totp_step", _BIG, server_default=sa.text("0"), nullable=False),
        *_owner("customer_login"),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_login")),
    )
    op.create_table(
        "customer_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("seen_at", _BIG, nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        *_owner("customer_session"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_customer_session")),
        sa.UniqueConstraint("id", name=op.f("uq_customer_session_id")),
    )
    _index("customer_session", "tenant_id", "customer_id")
    _index("customer_session", "expires_at")
    op.create_table(
        "known_device",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("seen_at", _BIG, nullable=False),
        *_owner("known_device"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_known_device")),
    )
    _index("known_device", "tenant_id", "customer_id")
    _index("known_device", "seen_at")


def _create_passkeys() -> None:
    op.create_table(
        "passkey",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", _BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _BIG, nullable=False),
        sa.Column("used_at", _BIG, nullable=True),
        *_owner("passkey"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
    )
    op.create_index("uq_passkey_tenant_id_credential_id", "passkey", ["tenant_id", "credential_id"], unique=True)
    _index("passkey", "tenant_id", "customer_id")
    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        *_owner("recovery_code"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_recovery_code")),
    )
    _index("recovery_code", "tenant_id", "customer_id")


def _create_short_lived() -> None:
    op.create_table(
        "challenge",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        *_owner("challenge"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_challenge")),
    )
    _index("challenge", "expires_at")
    op.create_table(
        "throttle",
        sa.Column("tenant_id", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", _BIG, nullable=False),
        sa.Column("last_at", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_throttle_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "digest", name=op.f("pk_throttle")),
    )
    _index("throttle", "last_at")


def _owner(table: str) -> tuple[sa.ForeignKeyConstraint, sa.ForeignKeyConstraint]:
    return (
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f(f"fk_{table}_customer_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"fk_{table}_tenant_id")),
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))
