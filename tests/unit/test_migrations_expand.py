"""Migrations only add, so that servers of the version before go on while the database is upgraded beneath them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reseller_kit.db import expansion, schema
from reseller_kit.db.ledger import postgres_sql
from tests.support.expansion_rules import contractions

VERSIONS = Path(schema.__file__).parent / "migrations" / "versions"
BEGINS_AFTER = "0027"


def test_migrations_take_nothing_away_that_a_running_version_may_use() -> None:
    found = {}
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        revision = path.name.partition("_")[0]
        if revision > BEGINS_AFTER and revision not in expansion.CONTRACTIONS:
            problems = contractions(path.read_text(encoding="utf-8"), postgres_sql.RECORDS.keys())
            if problems:
                found[path.name] = problems
    assert found == {}, "Expand now and contract in a later version; see docs/deploy.md, Upgrade."


def test_contractions_name_revisions_that_there_are() -> None:
    known = schema.known_revisions()
    for taken_in, fits_from in expansion.CONTRACTIONS.items():
        assert taken_in in known
        assert fits_from in known
        assert fits_from <= taken_in


@pytest.mark.parametrize(
    "statement",
    [
        'op.drop_column("customer", "name")',
        'op.drop_table("customer")',
        'op.rename_table("customer", "client")',
        'op.alter_column("customer", "name", nullable=False)',
        'op.drop_constraint("uq_x", "customer")',
        'op.add_column("customer", sa.Column("x", sa.Text(), nullable=False))',
        'op.add_column("hold", sa.Column("x", sa.Text(), nullable=True))',
        'op.create_unique_constraint("uq_x", "customer", ["email"])',
        'op.create_check_constraint("ck_x", "customer", "email <> \'\'")',
        'op.create_index("ix_x", "customer", ["email"], unique=True)',
        'op.execute("ALTER TABLE customer DROP COLUMN name")',
        'op.execute("alter table customer rename to client")',
        'op.execute(f"DELETE FROM customer")',
        'op.execute("ALTER TABLE customer ALTER COLUMN name SET NOT NULL")',
        'with op.batch_alter_table("customer") as batch:\n        batch.drop_column("name")',
    ],
)
def test_what_takes_away_or_narrows_is_seen(statement: str) -> None:
    assert contractions(f"def upgrade():\n    {statement}\n", postgres_sql.RECORDS.keys())


@pytest.mark.parametrize(
    "statement",
    [
        'op.create_table("x", sa.Column("y", nullable=False))\n    op.create_index("ix", "x", ["y"], unique=True)',
        'op.add_column("customer", sa.Column("x", sa.Text(), nullable=True))',
        'op.add_column("customer", sa.Column("x", sa.Text(), nullable=False, server_default=""))',
        'op.create_index("ix_x", "customer", ["email"])',
        "op.execute(\"UPDATE purchase_order SET cancelled_at = changed_at WHERE state = 'cancelled'\")",
    ],
)
def test_what_only_adds_passes(statement: str) -> None:
    downgrade = 'def downgrade():\n    op.drop_table("x")\n'
    assert contractions(f"def upgrade():\n    {statement}\n\n\n{downgrade}", postgres_sql.RECORDS.keys()) == []
