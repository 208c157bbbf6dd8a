"""Use case of a team, or of the operator, on the audit log: search it, page by page, and take it along.

A reseller's team reads what `core.trail` lets it: searching, too, sees no more than what is shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from ..core.csv_text import csv_rows
from ..core.times import format_time
from ..core.trail import Author, Difference, author_of, differences
from ..db import audit_log, operator
from ..db.audit_log import AuditFilter, AuditRow
from ..db.engine import EVERY_TENANT, Database

PAGE: Final = 50
_AT_ONCE: Final = 250
_LOOKED_AT: Final = 5_000
"""Rows that one search by text looks at before it says how far it came."""
ACTORS: Final[dict[str, AuditFilter]] = {
    "member": AuditFilter(actors=("member:",)),
    "customer": AuditFilter(actors=("customer:",)),
    "token": AuditFilter(actors=("token:",)),
    "operator": AuditFilter(actors=("cli:", "operator:")),
    "system": AuditFilter(not_actors=("member:", "customer:", "token:", "cli:", "operator:")),
}


class Reader(Struct, frozen=True):
    """Who reads: a tenant's team, or the operator (None), who sees every tenant and everything."""

    tenant_id: int | None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.tenant_id is None


class Line(Struct, frozen=True, kw_only=True):
    """One change as it may be read. `who` is empty where the author has no name; `tenant` for the operator alone."""

    id: int
    at: int
    author: Author
    who: str
    action: str
    kind: str
    ref: str
    differences: tuple[Difference, ...]
    tenant: str | None = None


class Found(Struct, frozen=True):
    """A page of lines, and where the next one begins; None where there is nothing more."""

    lines: tuple[Line, ...]
    next_before: int | None


async def search(db: Database, reader: Reader, wanted: AuditFilter, text: str = "") -> Found:
    """A page of changes, newest first. With a text, those that show it anywhere, whatever its case."""
    lines: list[Line] = []
    looked_at = 0
    sought = text.casefold()
    while True:
        rows = await _rows(db, reader, wanted, _AT_ONCE if sought else PAGE + 1)
        for row in rows:
            line = _line(row, reader)
            if not sought or sought in _words(line):
                if len(lines) == PAGE:
                    return Found(tuple(lines), lines[-1].id)
                lines.append(line)
        looked_at += len(rows)
        if len(rows) < _AT_ONCE:
            return Found(tuple(lines), None)
        wanted = structs.replace(wanted, before_id=rows[-1].id)
        if looked_at >= _LOOKED_AT:
            return Found(tuple(lines), rows[-1].id)


async def names(db: Database, reader: Reader) -> tuple[list[str], list[str]]:
    """The actions and kinds that there are to choose from."""
    if reader.tenant_id is None:
        async with db.read(EVERY_TENANT) as connection:
            return await operator.audit_names(connection)
    async with db.read(reader.tenant_id) as connection:
        return await audit_log.names(connection, reader.tenant_id)


async def as_csv(db: Database, reader: Reader, wanted: AuditFilter, text: str = "") -> AsyncIterator[bytes]:
    """What a search finds as CSV with a head line, newest first, in pieces; a row for each value that was changed."""
    head = ["id", "time", "author", "who", "action", "kind", "ref", "field", "before", "after"]
    yield csv_rows([head if not reader.everything else [*head, "tenant"]])
    async for line in _all(db, reader, wanted, text):
        changed = line.differences or (Difference("", None, None),)
        common = [line.id, format_time(line.at), line.author, line.who, line.action, line.kind, line.ref]
        last = [line.tenant] if reader.everything else []
        yield csv_rows([*common, one.path, one.before, one.after, *last] for one in changed)


async def as_json(db: Database, reader: Reader, wanted: AuditFilter, text: str = "") -> AsyncIterator[bytes]:
    """What a search finds as one JSON document, `{"events": […]}`, newest first, in pieces."""
    yield b'{"events":['
    before = b""
    async for line in _all(db, reader, wanted, text):
        yield before + msgspec.json.encode(_document(line, reader))
        before = b",\n"
    yield b"]}\n"


async def _all(db: Database, reader: Reader, wanted: AuditFilter, text: str) -> AsyncIterator[Line]:
    sought = text.casefold()
    while True:
        rows = await _rows(db, reader, wanted, _AT_ONCE)
        for line in (_line(row, reader) for row in rows):
            if not sought or sought in _words(line):
                yield line
        if len(rows) < _AT_ONCE:
            return
        wanted = structs.replace(wanted, before_id=rows[-1].id)


async def _rows(db: Database, reader: Reader, wanted: AuditFilter, limit: int) -> list[AuditRow]:
    if reader.tenant_id is None:
        async with db.read(EVERY_TENANT) as connection:
            return await operator.audit_search(connection, wanted, limit)
    async with db.read(reader.tenant_id) as connection:
        return await audit_log.search(connection, reader.tenant_id, wanted, limit)


def _line(row: AuditRow, reader: Reader) -> Line:
    author, who = author_of(row.actor)
    return Line(
        id=row.id,
        at=row.created_at,
        author=author,
        who=row.actor.partition(":")[2] or who if reader.everything else who,
        action=row.action,
        kind=row.kind,
        ref=row.ref,
        differences=differences(row.before, row.after, everything=reader.everything),
        tenant=row.tenant if reader.everything else None,
    )


def _words(line: Line) -> str:
    """Everything that is shown of a line, to look for a text in."""
    changed = (part for one in line.differences for part in (one.path, one.before, one.after) if part)
    return "\n".join((line.who, line.action, line.kind, line.ref, line.tenant or "", *changed)).casefold()


def _document(line: Line, reader: Reader) -> dict[str, Any]:
    shown = structs.asdict(line)
    shown["at"] = format_time(line.at)
    shown["differences"] = [structs.asdict(one) for one in line.differences]
    if not reader.everything:
        del shown["tenant"]
    return shown
