"""Hosts that resellers bring along: claims, proof by DNS, checks, and what is left of removed ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    moments = ("verified_at", "checked_at", "next_check_at", "failing_since", "warned_at", "ended_at", "released_at")
    op.add_column("domain", sa.Column("source", sa.Text(), nullable=False, server_default="file"))
    op.add_column("domain", sa.Column("challenge", sa.Text(), nullable=True))
    op.add_column("domain", sa.Column("found", document, nullable=True))
    op.add_column("domain", sa.Column("warned_days", sa.Integer(), nullable=False, server_default="0"))
    for name in moments:
        op.add_column("domain", sa.Column(name, big, nullable=True))
    op.create_index(op.f("ix_domain_next_check_at"), "domain", ["next_check_at"])
    op.create_table(
        "domain_claim",
        sa.Column("id", big, autoincrement=True, nullable=False),
        sa.Column("tenant_id", big, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("expires_at", big, nullable=False),
        sa.Column("checked_at", big, nullable=True),
        sa.Column("next_check_at", big, nullable=True),
        sa.Column("found", document, nullable=True),
        sa.Column("created_at", big, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_domain_claim_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain_claim")),
        sa.UniqueConstraint("tenant_id", "host", name=op.f("uq_domain_claim_tenant_id_host")),
    )
    op.create_index(op.f("ix_domain_claim_next_check_at"), "domain_claim", ["next_check_at"])
