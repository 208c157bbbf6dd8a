"""Brings a database to this version's schema, or says that it is not there yet. Changes no data.

SQLite is upgraded by whoever opens it, inside one BEGIN IMMEDIATE, which is the lock. PostgreSQL only by
`reseller-kit db upgrade`, while servers of the version before go on: the database says itself how old a version it
still fits (`expansion`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from ..core.errors import SchemaOutdated
from . import expansion, row_security
from .engine import NO_TENANT, Database, now_us
from .tables import lease

LEASE_SECONDS: Final = 3
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('reseller-kit db upgrade'))")
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision that this version knows."""
    return known_revisions()[-1]


async def prepare(db: Database) -> None:
    """What every command but `db` does first: upgrade SQLite, check PostgreSQL. Raises SchemaOutdated."""
    async with db.read(NO_TENANT) as connection:
        current = await connection.run_sync(_current)
        if current == head() or await connection.run_sync(_is_ahead, current):
            return
    if db.backend == "sqlite":
        await upgrade(db)
        return
    if current is not None and current not in known_revisions():
        raise _too_new(current)
    raise SchemaOutdated(
        f"The database has schema {current or 'none'}, this version needs {head()}.",
        fix="Run: reseller-kit db upgrade",
    )


async def fits(db: Database) -> bool:
    """Whether this version can work on the database as it is: on its own schema, or on a newer one that only grew."""
    async with db.read(NO_TENANT) if db.backend == "sqlite" else db.administer() as connection:
        current = await connection.run_sync(_current)
        return current == head() or await connection.run_sync(_is_ahead, current)


async def current_revision(db: Database) -> str | None:
    """The schema revision that the database is at; None for an empty one."""
    # An empty database has no application role to look with.
    async with db.read(NO_TENANT) if db.backend == "sqlite" else db.administer() as connection:
        return await connection.run_sync(_current)


async def upgrade(db: Database) -> list[str]:
    """Apply every pending migration in one transaction; the revisions that were applied.

    On PostgreSQL it also makes or mends the application role, its privileges and the policies, and gives way to
    servers that are at work: it waits for a table half a second at most, then lets go of everything and tries again.

    Raises SchemaOutdated while a server runs that the new schema does not fit (on SQLite: one of another schema), or
    when the database is newer than this version and does not fit it.
    """

    async def once() -> list[str]:
        async with db.administer() as connection:
            return await connection.run_sync(_upgrade)

    return await expansion.giving_way(once)


async def lock_problems(db: Database) -> list[str]:
    """What is wrong with the second lock; nothing on SQLite, which has none."""
    if db.backend == "sqlite":
        return []
    async with db.administer() as connection:
        return await connection.run_sync(row_security.problems)


def known_revisions() -> list[str]:
    """The revisions of this version, from oldest to newest: the numbers that the migrations' files begin with."""
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _is_ahead(connection: Connection, current: str | None) -> bool:
    """Whether a newer version has upgraded the database, and this one may go on."""
    newer = current is not None and current not in known_revisions()
    return newer and expansion.fits(connection, head())


def _too_new(current: str) -> SchemaOutdated:
    return SchemaOutdated(
        f"The database has the newer schema {current}.", fix="Use the version that made it, or a newer one."
    )


def _upgrade(connection: Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_AT_A_TIME)
        expansion.be_patient(connection)
    before = _current(connection)
    known = known_revisions()
    if before is not None and before not in known:
        if _is_ahead(connection, before):
            return []
        raise _too_new(before)
    pending = known[known.index(before) + 1 :] if before is not None else known
    if pending:
        _refuse_while_serving(connection)
    if connection.dialect.name == "postgresql" and (pending or row_security.problems(connection)):
        expansion.stop_at_the_gate(connection)
    if pending:
        _migrate(connection)
        expansion.note(connection)
    if pending or row_security.problems(connection):
        row_security.install(connection)
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
    # SQLite's migrations copy tables: who has a statement ready for the old one would be surprised.
    strangers = lease.c.schema != head() if connection.dialect.name == "sqlite" else lease.c.schema < expansion.oldest()
    if connection.execute(select(lease.c.owner).where(lease.c.renewed_at > alive, strangers)).first():
        raise SchemaOutdated(
            "A server of an older version is running on this database.", fix="Stop it, then try again."
        )
