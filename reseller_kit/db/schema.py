"""Brings a database to this version's schema, or says that it is not there yet. Changes no data.

SQLite is upgraded by whoever opens it, inside one BEGIN IMMEDIATE, which is the lock. PostgreSQL only by
`reseller-kit db upgrade`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select

from ..core.errors import SchemaOutdated
from .engine import Database, now_us
from .tables import lease

LEASE_SECONDS: Final = 3
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision that this version knows."""
    current = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if current is None:
        raise SchemaOutdated("The package ships no migrations.", fix="Install it again.")
    return current


async def prepare(db: Database) -> None:
    """What every command but `db` does first: upgrade SQLite, check PostgreSQL. Raises SchemaOutdated."""
    current = await current_revision(db)
    if current == head():
        return
    if db.backend == "sqlite":
        await upgrade(db)
        return
    raise SchemaOutdated(
        f"The database has schema {current or 'none'}, this version needs {head()}.",
        fix="Run: reseller-kit db upgrade",
    )


async def current_revision(db: Database) -> str | None:
    """The schema revision that the database is at; None for an empty one."""
    async with db.read() as connection:
        return await connection.run_sync(_current)


async def upgrade(db: Database) -> list[str]:
    """Apply every pending migration in one transaction; the revisions that were applied.

    Raises SchemaOutdated while a server of another schema runs, or when the database is newer than this version.
    """
    async with db.write() as connection:
        return await connection.run_sync(_upgrade)


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> list[str]:
    script = ScriptDirectory(str(_MIGRATIONS))
    before = _current(connection)
    known = [revision.revision for revision in script.walk_revisions()]
    if before is not None and before not in known:
        raise SchemaOutdated(
            f"The database has the newer schema {before}.", fix="Use the version that made it, or a newer one."
        )
    pending = known[: known.index(before)] if before is not None else known
    if not pending:
        return []
    _refuse_while_serving(connection)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return list(reversed(pending))


def _refuse_while_serving(connection: Connection) -> None:
    if not inspect(connection).has_table("lease"):
        return
    alive = now_us() - LEASE_SECONDS * 1_000_000
    if connection.execute(select(lease.c.owner).where(lease.c.renewed_at > alive, lease.c.schema != head())).first():
        raise SchemaOutdated(
            "A server of an older version is running on this database.", fix="Stop it, then try again."
        )
