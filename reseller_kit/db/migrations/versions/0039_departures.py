"""How storefronts leave; and words about a person may be taken out of the audit log, never what was done by whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0034"
branch_labels = None
depends_on = None

_KEPT = ("id", "tenant_id", "actor", "action", "kind", "ref", "created_at")


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("tenant") as batch:
        for name in ("offboarded_at", "erase_at", "erased_at"):
            batch.add_column(sa.Column(name, big, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        # On PostgreSQL the privileges of the application role say the same.
        op.execute("DROP TRIGGER audit_log_no_update")
        op.execute(
            f"CREATE TRIGGER audit_log_no_update BEFORE UPDATE OF {', '.join(_KEPT)} ON audit_log"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )
