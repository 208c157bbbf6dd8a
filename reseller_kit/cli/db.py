"""`db`: the database itself. The only commands that do not bring it to this version's schema first."""

from __future__ import annotations

from pathlib import Path

import click

from ..db import maintenance, schema
from ..db.engine import Database
from ..flows import backup as flow
from .failures import DONE, FINDINGS
from .invocation import current, with_unprepared_database
from .options import Group
from .output import emit, table


@click.group(cls=Group)
def db() -> None:
    """The database: upgrade, check, back up, restore."""


@db.command()
def upgrade() -> None:
    """Bring the database to this version's schema."""
    applied = with_unprepared_database(schema.upgrade)
    said = f"Applied {', '.join(applied)}." if applied else "There was nothing to do."
    emit({"schema": schema.head(), "applied": applied}, said)


@db.command()
def check() -> int:
    """Whether the schema is this version's, the file sound, and PostgreSQL's second lock in place."""

    async def work(db: Database) -> tuple[str | None, list[str], list[str]]:
        if db.backend == "sqlite":
            maintenance.require_file(db)
        return await schema.current_revision(db), await maintenance.problems(db), await schema.lock_problems(db)

    found, damage, unlocked = with_unprepared_database(work)
    findings = [{"code": "DB102", "message": problem, "fix": "Restore a backup."} for problem in damage]
    findings += [{"code": "DB103", "message": problem, "fix": "Run: reseller-kit db upgrade"} for problem in unlocked]
    if found != schema.head():
        message = f"The schema is {found or 'none'}, this version needs {schema.head()}."
        findings.insert(0, {"code": "DB101", "message": message, "fix": "Run: reseller-kit db upgrade"})
    document = {"ok": not findings, "schema": found, "head": schema.head(), "findings": findings}
    rows = [(row["code"], row["message"], row["fix"]) for row in findings]
    emit(document, table(["CODE", "WHAT", "FIX"], rows, empty=f"The database is sound; its schema is {found}."))
    return FINDINGS if findings else DONE


@db.command()
@click.argument("path", type=click.Path(path_type=Path))
def backup(path: Path) -> None:
    """Copy the embedded database to a new file; servers may run. Keep the secret key apart from it, but keep it."""
    size = with_unprepared_database(lambda db: flow.back_up(db, path))
    emit({"path": str(path), "bytes": size}, f"Wrote {path} ({size} bytes).")


@db.command()
@click.argument("path", type=click.Path(path_type=Path))
def restore(path: Path) -> None:
    """Put a backup in the place of the embedded database. What was there before is kept beside it."""
    secret_key = current().settings.secret_key
    kept = with_unprepared_database(lambda db: flow.restore(db, secret_key, path))
    emit(
        {"restored": str(path), "kept": None if kept is None else str(kept)},
        f"Restored {path}.",
        "" if kept is None else f"What was there before: {kept}",
    )
