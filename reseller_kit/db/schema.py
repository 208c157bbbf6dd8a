"""Brings a database to this version's schema, or says that it is not there yet. Changes no data.

SQLite is upgraded by whoever opens it, inside one BEGIN IMMEDIATE, which is the lock. PostgreSQL only by
`reseller-kit db upgrade`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from ..core.errors import SchemaOutdated
from .engine import NO_TENANT, Database, now_us
from .tables import lease

LEASE_SECONDS: Final = 3
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision that this version knows."""
    return _known()[-1]


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
    async with db.read(NO_TENANT) as connection:
        return await connection.run_sync(_current)


async def upgrade(db: Database) -> list[str]:
    """Apply every pending migration in one transaction; the revisions that were applied.

    Raises SchemaOutdated while a server of another schema runs, or when the database is newer than this version.
    """
    async with db.write(NO_TENANT) as connection:
        return await connection.run_sync(_upgrade)


def _known() -> list[str]:
    """Revisions from oldest to newest: the numbers that the migrations' files begin with."""
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(connection: Connection) -> list[str]:
    before = _current(connection)
    known = _known()
    if before is not None and before not in known:
        raise SchemaOutdated(
            f"The database has the newer schema {before}.", fix="Use the version that made it, or a newer one."
        )
    pending = known[known.index(before) + 1 :] if before is not None else known
    if pending:
        _refuse_while_serving(connection)
        _migrate(connection)
    return pending


def _migrate(connection: Connection) -> None:
    # Half of a command's start would be spent on importing what only an upgrade needs.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_while_serving(connection: Connection) -> None:
    if not inspect(connection).has_table("lease"):
        return
    alive = now_us() - LEASE_SECONDS * 1_000_000
    if connection.execute(select(lease.c.owner).where(lease.c.renewed_at > alive, lease.c.schema != head())).first():
        raise SchemaOutdated(
            "A server of an older version is running on this database.", fix="Stop it, then try again."
        )
