"""Runs the migrations on the connection that `db.schema` hands over. Opens none of its own."""

from __future__ import annotations

from alembic import context

from reseller_kit.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
)
context.run_migrations()
