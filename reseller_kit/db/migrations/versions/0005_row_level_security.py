"""Row-level security on PostgreSQL.

Changes no table: `db.row_security` makes the application role, its privileges and the policies behind every upgrade,
from the tables as they then are, so that no migration can forget one. This revision keeps a version that knows
nothing of them from working on the database beside one that does.
"""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing; see above."""
