"""Passkeys of members."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "member_passkey",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("member_id", big, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", big, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("used_at", big, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_member_passkey_tenant_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_member_passkey_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_passkey")),
    )
    op.create_index(
        "uq_member_passkey_tenant_id_credential_id", "member_passkey", ["tenant_id", "credential_id"], unique=True
    )
    op.create_index(op.f("ix_member_passkey_tenant_id_member_id"), "member_passkey", ["tenant_id", "member_id"])
