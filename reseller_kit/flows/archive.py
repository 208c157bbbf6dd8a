"""Use case of the operator: move old months of usage records and holds to files. Nothing is lost at any point.

First the files, read back from the disk; then one transaction that notes what they sum to, from which on the books
do without the rows; then the rows go, some thousands at a time. Stopped anywhere, the same command goes on.
Transactions, entries, price versions and rollups stay for ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest
from ..core.money import format_amount
from ..core.months import Month, month_of, parse_month
from ..core.times import DAY_US
from ..db import operator_archive as archives
from ..db import tables as t
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_archive import ArchivedMonth, MonthFacts, Span
from .archive_files import ArchivedFile, Manifest, RowsFile, checked_folder, rows_path, verify, write_manifest
from .rollup import roll_up

_REST_US: Final = DAY_US
"""A month rests for a day before it is archived, so that its last calls have ended."""


class MonthPlan(Struct, frozen=True, kw_only=True):
    """A month that would be archived, or whose removal was interrupted."""

    month: Month
    facts: MonthFacts
    resumed: ArchivedMonth | None


async def plan(db: Database, before: Month, *, now: int | None = None) -> list[MonthPlan]:
    """The months before `before` that have something to archive. Raises InvalidRequest for one that still runs."""
    moment = now_us() if now is None else now
    if before.start_us + _REST_US > moment:
        last = month_of(moment - _REST_US)
        raise InvalidRequest(
            f"{before.later(-1)} is not over for a day yet.", param="before", fix=f"Give {last} or an earlier month."
        )
    found = []
    async with db.read(EVERY_TENANT) as connection:
        known = {row.month: row for row in await archives.archived(connection)}
        for month in await archives.live_months(connection, before):
            facts = await archives.facts(connection, archives.span_of(month))
            if facts.records or facts.holds or str(month) in known:
                found.append(MonthPlan(month=month, facts=facts, resumed=known.pop(str(month), None)))
    rest = [row for row in known.values() if row.state == "removing" and parse_month(row.month) < before]
    empty = MonthFacts(records=0, holds=0, retail_nano=0, wholesale_nano=0, cost_nano=0, settled_until=0)
    found += [MonthPlan(month=parse_month(row.month), facts=empty, resumed=row) for row in rest]
    return sorted(found, key=lambda each: each.month)


async def archive(db: Database, plans: list[MonthPlan], folder: Path) -> list[ArchivedMonth]:
    """Archive what `plan` found, oldest first. Raises Conflict and InvalidRequest, and then nothing more is removed."""
    target = checked_folder(folder)
    await roll_up(db)
    done = []
    for each in plans:
        span = archives.span_of(each.month)
        if each.resumed is None:
            month = await _export(db, each.month, span, target)
        else:
            month = each.resumed
            _refuse_late_rows(each)
        await _remove(db, each.month, span)
        done.append(month)
    return done


def _refuse_late_rows(each: MonthPlan) -> None:
    resumed = each.resumed
    if resumed is not None and resumed.state == "removed":
        raise Conflict(
            f"{each.month} is archived, and there are calls of that month that are not.",
            fix="Run: reseller-kit ledger audit",
        )


async def _export(db: Database, month: Month, span: Span, folder: Path) -> ArchivedMonth:
    async with db.read(EVERY_TENANT) as connection:
        open_call = await archives.open_call(connection, span)
        if open_call is not None:
            raise Conflict(f"The call {open_call} is still open.", fix="Start a server, which settles it; try again.")
        facts = await archives.facts(connection, span)
        files: list[ArchivedFile] = []
        for kind, table in (("usage", t.usage_record), ("holds", t.hold)):
            with RowsFile(rows_path(folder, kind, str(month))) as file:
                async for rows in archives.rows_of(connection, table, span):
                    file.add(rows)
            files += [file.done] if file.done is not None else []
    manifest = _manifest(month, span, facts, files)
    if (manifest.records, manifest.holds) != tuple(file.rows for file in files):
        raise Conflict(f"The calls of {month} changed while they were read.", fix="Try again.")
    digest = write_manifest(folder, manifest)
    verify(folder, manifest)
    archived = ArchivedMonth(
        month=str(month),
        state="removing",
        path=str(folder),
        sha256=digest,
        records=facts.records,
        holds=facts.holds,
    )
    await _begin(db, archived, span, facts)
    return archived


async def _begin(db: Database, archived: ArchivedMonth, span: Span, facts: MonthFacts) -> None:
    async with db.administer() as connection:
        rolled = await archives.rolled_until(connection)
        if facts.settled_until >= rolled:
            raise Conflict("Some of the calls are not in the rollups yet.", fix="Try again in a moment.")
        if await archives.open_call(connection, span) or await archives.facts(connection, span) != facts:
            raise Conflict(f"The calls of {archived.month} changed while they were exported.", fix="Try again.")
        await archives.begin_removal(connection, archived, span, now_us())


async def _remove(db: Database, month: Month, span: Span) -> None:
    async with db.administer() as connection:
        await archives.drop_partition(connection, month)
    removed = 1
    while removed:
        async with db.administer() as connection:
            removed = await archives.remove_some(connection, span)
    async with db.administer() as connection:
        await archives.end_removal(connection, str(month))


def _manifest(month: Month, span: Span, facts: MonthFacts, files: list[ArchivedFile]) -> Manifest:
    return Manifest(
        schema=1,
        month=str(month),
        first_id=span.first,
        end_id=span.end,
        records=facts.records,
        holds=facts.holds,
        retail=format_amount(facts.retail_nano),
        wholesale=format_amount(facts.wholesale_nano),
        cost=format_amount(facts.cost_nano),
        files=files,
    )
