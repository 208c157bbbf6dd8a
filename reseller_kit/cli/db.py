"""`db`: the database itself. The only commands that do not bring it to this version's schema first."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..core.errors import ConfirmationNeeded
from ..core.months import Month, parse_month
from ..db import maintenance, partitions, schema
from ..db.engine import Database
from ..flows import archive as flow_archive
from ..flows import backup as flow
from ..flows.archive_files import checked_folder
from .failures import DONE, FINDINGS
from .invocation import current, with_database, with_unprepared_database
from .options import Group
from .output import emit, table, tell


@click.group(cls=Group)
def db() -> None:
    """The database: upgrade, check, back up, restore, archive."""


@db.command()
def upgrade() -> None:
    """Bring the database to this version's schema."""

    async def work(db: Database) -> list[str]:
        applied = await schema.upgrade(db)
        await partitions.make_ahead(db)
        return applied

    applied = with_unprepared_database(work)
    said = f"Applied {', '.join(applied)}." if applied else "There was nothing to do."
    emit({"schema": schema.head(), "applied": applied}, said)


@db.command()
def check() -> int:
    """Whether the schema is this version's, the file sound, and PostgreSQL's second lock in place."""

    async def work(db: Database) -> tuple[str | None, bool, list[str], list[str]]:
        if db.backend == "sqlite":
            maintenance.require_file(db)
        found, fits = await schema.current_revision(db), await schema.fits(db)
        return found, fits, await maintenance.problems(db), await schema.lock_problems(db)

    found, fits, damage, unlocked = with_unprepared_database(work)
    findings = [{"code": "DB102", "message": problem, "fix": "Restore a backup."} for problem in damage]
    findings += [{"code": "DB103", "message": problem, "fix": "Run: reseller-kit db upgrade"} for problem in unlocked]
    if not fits:
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
@click.option("--before", required=True, type=parse_month, metavar="YYYY-MM", help="The first month that is kept.")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="For the files.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def archive(before: Month, folder: Path, yes: bool) -> None:  # noqa: FBT001  # click passes by name
    """Move old usage records and their holds to files. Balances, entries, prices and charts stay for ever."""
    checked_folder(folder)
    planned = with_database(lambda db: flow_archive.plan(db, before))
    if planned and not (yes or _agreed_to_archive(planned)):
        raise click.Abort
    done = with_database(lambda db: flow_archive.archive(db, planned, folder)) if planned else []
    documents = [
        {name: getattr(month, name) for name in ("month", "records", "holds", "path", "sha256")} for month in done
    ]
    rows = [(month.month, month.records, month.holds, month.path) for month in done]
    emit({"archives": documents}, table(["MONTH", "RECORDS>", "HOLDS>", "FOLDER"], rows, empty="Nothing to archive."))


def _agreed_to_archive(planned: list[flow_archive.MonthPlan]) -> bool:
    """Show what would go and ask. Raises ConfirmationNeeded where nobody can be asked."""
    shown = [f"{each.month}: {each.facts.records} usage records, {each.facts.holds} holds" for each in planned]
    if current().as_json or not sys.stdin.isatty():
        raise ConfirmationNeeded(
            "Usage records would leave the database and nobody can be asked. Nothing was changed.",
            fix="Run it again with --yes.",
            details=[
                {"month": str(each.month), "records": each.facts.records, "holds": each.facts.holds} for each in planned
            ],
        )
    tell("\n".join(shown))
    return click.confirm("\nMove these to files?", default=False)


@db.command()
@click.argument("path", type=click.Path(path_type=Path))
def restore(path: Path) -> None:
    """Put a backup in the place of the embedded database. What was there before is kept beside it."""
    keys = current().settings.secret_keys
    kept = with_unprepared_database(lambda db: flow.restore(db, keys, path))
    emit(
        {"restored": str(path), "kept": None if kept is None else str(kept)},
        f"Restored {path}.",
        "" if kept is None else f"What was there before: {kept}",
    )
