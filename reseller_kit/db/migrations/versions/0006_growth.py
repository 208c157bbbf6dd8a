"""Growth: usage records and entries cut by month on PostgreSQL, rollups, archives."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from reseller_kit.core.months import Month, month_of, months
from reseller_kit.db import partitions
from reseller_kit.db.engine import now_us

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SUMMED = (
    "calls",
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "input_audio",
    "output_audio",
    "input_image",
    "output_image",
    "seconds",
    "characters",
    "images",
    "request",
    "tool_call",
    "retail_nano",
    "wholesale_nano",
    "cost_nano",
)


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("usage_record", sa.Column("settled_at", _big(), server_default=sa.text("0"), nullable=False))
    op.add_column("lease", sa.Column("settled_from", _big(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE usage_record SET settled_at = coalesce("
        "(SELECT resolved_at FROM hold WHERE hold.request_id = usage_record.id), created_at)"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE hold ALTER COLUMN request_id TYPE text COLLATE "C"')
        op.execute('ALTER TABLE txn ALTER COLUMN id TYPE text COLLATE "C"')
        _partition("usage_record", "PRIMARY KEY (id)")
        _partition("entry", "PRIMARY KEY (txn_id, line)")
        op.create_index(
            op.f("ix_usage_record_tenant_id_customer_id_id"), "usage_record", ["tenant_id", "customer_id", "id"]
        )
    op.create_index(op.f("ix_usage_record_tenant_id_id"), "usage_record", ["tenant_id", "id"])
    op.create_index(op.f("ix_usage_record_settled_at"), "usage_record", ["settled_at"])
    _make_rollups()
    _make_archives()


def _make_rollups() -> None:
    op.create_table(
        "usage_rollup",
        sa.Column("tenant_id", _big(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("quarter_at", _big(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        *(sa.Column(name, _big(), nullable=False) for name in _SUMMED),
        sa.PrimaryKeyConstraint(
            "tenant_id", "customer_id", "quarter_at", "model", "key_id", name=op.f("pk_usage_rollup")
        ),
        sqlite_with_rowid=False,
    )
    mark = op.create_table(
        "rollup_mark",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", _big(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollup_mark")),
    )
    op.bulk_insert(mark, [{"name": "fence", "at": 0}, {"name": "rolled", "at": 0}])


def _make_archives() -> None:
    op.create_table(
        "archive",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("records", _big(), nullable=False),
        sa.Column("holds", _big(), nullable=False),
        sa.Column("created_at", _big(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_archive")),
    )
    op.create_table(
        "archived_usage",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("reseller_wallet_id", _big(), nullable=False),
        sa.Column("tenant_id", _big(), nullable=False),
        *(sa.Column(name, _big(), nullable=False) for name in ("calls", "retail_nano", "wholesale_nano", "cost_nano")),
        sa.PrimaryKeyConstraint("month", "reseller_wallet_id", name=op.f("pk_archived_usage")),
    )
    op.create_table(
        "archived_window",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("started_at", _big(), nullable=False),
        sa.Column("tenant_id", _big(), nullable=False),
        sa.Column("spent_nano", _big(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "started_at", name=op.f("pk_archived_window")),
    )


def _partition(table: str, primary_key: str) -> None:
    """Put a partitioned table in the place of `table`, with its rows; its policy comes behind the upgrade."""
    connection = op.get_bind()
    key, prefix = partitions.PARTITIONED[table]
    old = f"{table}_whole"
    op.execute(f"ALTER TABLE {table} RENAME TO {old}")
    op.execute(f"ALTER TABLE {old} DROP CONSTRAINT pk_{table}")
    op.execute(f'ALTER TABLE {old} ALTER COLUMN {key} TYPE text COLLATE "C"')
    op.execute(f"CREATE TABLE {table} (LIKE {old} INCLUDING DEFAULTS) PARTITION BY RANGE ({key})")
    partitions.make_parents(connection, table, _months_of(connection, old, key, prefix))
    op.execute(f"INSERT INTO {table} SELECT * FROM {old}")  # noqa: S608  # names of ours
    op.execute(f"DROP TABLE {old}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} {primary_key}")


def _months_of(connection: sa.Connection, table: str, key: str, prefix: str) -> list[Month]:
    """From the first month that has a row to those to come; rows whose ids tell no time go by themselves."""
    wanted = partitions.wanted(now_us())
    oldest = Month(2020, 1).first_id(prefix)
    found = connection.scalar(
        sa.text(f"SELECT min({key}) FROM {table} WHERE {key} >= :oldest AND {key} < :end"),  # noqa: S608  # names of ours
        {"oldest": oldest, "end": wanted[0].first_id(prefix)},
    )
    if found is None:
        return wanted
    first = month_of(int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000)
    while first.later().first_id(prefix) <= found:
        first = first.later()
    return months(first, wanted[-1])
