"""Use cases of the operator on the database file: back up, restore. Nothing is lost by either."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import InvalidRequest, NotFound
from ..core.times import format_time
from ..db import audit_log, maintenance, schema
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_machine import BACKUP
from .unlock import unlock


async def back_up(db: Database, target: Path) -> int:
    """Copy the live database to a new file while servers run; its size in bytes. `doctor` knows of it from then on."""
    size = await maintenance.copy_out(db, target)
    if await schema.fits(db):
        async with db.write(EVERY_TENANT) as connection:
            await audit_log.record(connection, None, "cli", BACKUP, "database", "file", after={"bytes": size})
    return size


async def restore(db: Database, secret_keys: Sequence[str], source: Path) -> Path | None:
    """Put a backup in the place of the live database; where what was there before is kept, if there was anything.

    The backup is proven first, on a copy: it must be sound, not newer than this version, and open with the secret
    key. Raises Conflict while a server runs on the database.
    """
    if db.backend != "sqlite":
        maintenance.require_file(db)
    live, exists = _checked(source, db.path)
    with tempfile.TemporaryDirectory(dir=live.parent, prefix="restore-") as folder:
        staged = Path(folder) / "staged.db"
        shutil.copyfile(source, staged)
        await _prove(staged, secret_keys)
        kept = None
        if exists:
            await maintenance.refuse_while_serving(db)
            stamp = format_time(now_us())[:23].translate({ord(mark): None for mark in "-:."})
            kept = live.with_name(f"{live.name}.before-restore-{stamp}")
            await maintenance.copy_out(db, kept)
        await maintenance.copy_in(db, staged)
    return kept


def _checked(source: Path, path: str) -> tuple[Path, bool]:
    """The live database's file, and whether it is there. Raises NotFound and InvalidRequest for a bad source."""
    if not source.is_file():
        raise NotFound(f"There is no file {source}.", fix="Give the path of a backup.")
    if not maintenance.looks_like_ours(source):
        raise InvalidRequest(f"{source} is no backup of this product, or is damaged.", fix="Choose another backup.")
    live = Path(path)
    live.parent.mkdir(parents=True, exist_ok=True)
    return live, live.exists()


async def _prove(staged: Path, secret_keys: Sequence[str]) -> None:
    """Bring the copy to this version's schema and open its keys; the file is whole again when this returns."""
    copy = Database(f"sqlite+aiosqlite:///{staged}")
    try:
        await schema.upgrade(copy)
        await unlock(copy, *secret_keys)
    finally:
        await copy.close()
