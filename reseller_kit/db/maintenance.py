"""Looks after the database file: checks it, copies it out and back in. Only SQLite; PostgreSQL brings its own tools."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import inspect, select

from ..core.errors import Conflict, InvalidRequest, NotFound
from . import schema, sqlite_driver
from .engine import NO_TENANT, Database, now_us
from .tables import lease

_MAGIC: Final = b"SQLite format 3\0"


async def problems(db: Database) -> list[str]:
    """What SQLite's own checks find wrong with the file; nothing on PostgreSQL, which checks its pages itself."""
    if db.backend != "sqlite":
        return []
    require_file(db)
    return await asyncio.to_thread(_problems, db.path)


def refuse_foreign_file(db: Database) -> None:
    """Raises InvalidRequest when the embedded database can't be where the URL says, or something else is there.

    SQLite would tell as much, but less plainly, and only once its connection's thread runs.
    """
    path = Path(db.path)
    if not path.absolute().parent.is_dir():
        raise InvalidRequest(f"There is no folder {path.absolute().parent}.", fix="Make it, or choose another one.")
    if path.exists():
        try:
            with path.open("rb") as file:
                begins = file.read(len(_MAGIC))
        except OSError as error:
            raise InvalidRequest(f"{path} can't be read: {error.strerror}.", fix="Correct its permissions.") from None
        if begins not in {b"", _MAGIC}:
            raise InvalidRequest(f"{path} is no SQLite database.", fix="Choose another file, or restore a backup.")


def require_file(db: Database) -> None:
    """Raises NotFound when the embedded database was never made, InvalidRequest on PostgreSQL."""
    if db.backend != "sqlite":
        raise InvalidRequest(
            "This command looks after the embedded database only.",
            fix="Use pg_dump and pg_restore for PostgreSQL.",
        )
    if not Path(db.path).is_file():
        raise NotFound(f"There is no database at {db.path}.", fix="Run first: reseller-kit db upgrade")


async def refuse_while_serving(db: Database) -> None:
    """Raises Conflict while a server's lease on this database is fresh."""
    alive = now_us() - schema.LEASE_SECONDS * 1_000_000
    async with db.read(NO_TENANT) as connection:
        if not await connection.run_sync(lambda sync: inspect(sync).has_table("lease")):
            return
        owner = await connection.scalar(select(lease.c.owner).where(lease.c.renewed_at > alive))
    if owner is not None:
        raise Conflict("A server is running on this database.", fix="Stop it, then try again.")


async def copy_out(db: Database, target: Path) -> int:
    """A consistent copy of the live database as one new file, while others may write; its size in bytes.

    Raises Conflict when the file exists.
    """
    require_file(db)
    return await asyncio.to_thread(_copy, db.path, target)


async def copy_in(db: Database, source: Path) -> None:
    """Replace what the live database holds by what `source` holds, in one transaction."""
    await asyncio.to_thread(_replace, source, db.path)


def looks_like_ours(source: Path) -> bool:
    """Whether a file is a sound SQLite database with a schema of this product."""
    try:
        with closing(_open_read_only(source)) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return sound and connection.execute("SELECT version_num FROM alembic_version").fetchone() is not None
    except sqlite_driver.library.Error:
        return False


def _open_read_only(path: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite_driver.library.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    return connection


def _problems(path: str) -> list[str]:
    with closing(sqlite_driver.connect(path, query_only=True)) as connection:
        damage = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        dangling = [
            f"Row {row[1]} of table {row[0]} names a row of {row[2]} that does not exist."
            for row in connection.execute("PRAGMA foreign_key_check")
        ]
    return damage + dangling


def _copy(path: str, target: Path) -> int:
    if target.exists():
        raise Conflict(f"{target} exists already.", fix="Choose another name; nothing is overwritten.")
    if not target.absolute().parent.is_dir():
        raise NotFound(f"There is no folder {target.absolute().parent}.", fix="Make it first.")
    draft = target.with_name(target.name + ".part")
    draft.unlink(missing_ok=True)
    # The copy holds ciphertexts and customers' addresses: nobody else may read it.
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite_driver.connect(path, query_only=True)) as live,
        closing(sqlite_driver.library.connect(str(draft))) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(target)
    return target.stat().st_size


def _replace(source: Path, path: str) -> None:
    with closing(_open_read_only(source)) as copy, closing(sqlite_driver.connect(path)) as live:
        copy.backup(live)
        live.execute("PRAGMA journal_mode = WAL")
