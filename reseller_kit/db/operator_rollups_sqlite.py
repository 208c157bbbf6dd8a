"""The steps of `operator_rollups` on the embedded database, whose one writer at a time calls must not wait for.

What a step adds is summed up into temporary tables first, which takes no lock; what is left to do under it is to put a
few rows onto others. That is a tenth of the time. Nothing but a step settles before `fence`, so the sums stay right
meanwhile, unless another process took the same records in: then the mark has moved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select, true
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.elements import CompilerElement

from . import operator_rollups as rollups
from . import sqlite_driver

AT_ONCE: Final = 2_000
_TEMPORARY: Final = ["TEMPORARY"]

_ROLLED: Final = "SELECT at FROM rollup_mark WHERE name = 'rolled'"
_BEYOND: Final = (
    "SELECT settled_at FROM usage_record WHERE settled_at >= ? AND settled_at < ? ORDER BY settled_at LIMIT 1 OFFSET ?"
)


class Statements(Struct, frozen=True):
    """Each with what it is always given. `gather`: without the lock; `add`: under it."""

    prepare: Sequence[str]
    gather: Sequence[tuple[str, dict[str, Any]]]
    add: Sequence[tuple[str, dict[str, Any]]]


def roll(connection: sqlite3.Connection, fence: int) -> bool:
    """As `operator_rollups.roll`, on a connection outside of any transaction; blocks. Raises what SQLite raises."""
    rolled = _rolled(connection)
    if rolled >= fence:
        return False
    beyond = connection.execute(_BEYOND, (rolled, fence, AT_ONCE)).fetchone()
    span = {"since": rolled, "until": fence if beyond is None else max(beyond[0], rolled + 1)}
    known = statements()
    for statement in known.prepare:
        connection.execute(statement)
    for statement, given in known.gather:
        connection.execute(statement, {**given, **span})
    with sqlite_driver.transaction(connection):
        if _rolled(connection) != rolled:
            return True
        for statement, given in known.add:
            connection.execute(statement, {**given, **span})
    return beyond is not None


def _rolled(connection: sqlite3.Connection) -> int:
    return int(connection.execute(_ROLLED).fetchone()[0])


@cache
def statements() -> Statements:
    """What a step runs, put together once: that takes longer than the step."""
    apart = MetaData()
    staged = [(part, _stage(apart, part)) for part in rollups.parts()]
    uses = Table("staged_use", apart, Column("key_id", Text), Column("at", BigInteger), prefixes=_TEMPORARY)
    gathered = [*((table, part.rows) for part, table in staged), (uses, rollups.latest_uses())]
    added = [part.added(sqlite.Insert, select(table).where(true())) for part, table in staged]
    return Statements(
        prepare=[_compiled(one)[0] for table, _ in gathered for one in (_created(table), table.delete())],
        gather=[_compiled(table.insert().from_select([c.name for c in table.c], rows)) for table, rows in gathered],
        add=[_compiled(statement) for statement in (*added, rollups.used(uses), rollups.MOVE_MARK)],
    )


def _stage(apart: MetaData, part: rollups.Part) -> Table:
    columns = [Column(name, part.table.c[name].type) for name in (*part.key, *part.sums)]
    return Table(f"staged_{part.table.name}", apart, *columns, prefixes=_TEMPORARY)


def _created(table: Table) -> CreateTable:
    return CreateTable(table, if_not_exists=True)


def _compiled(statement: CompilerElement) -> tuple[str, dict[str, Any]]:
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    return str(compiled), dict(compiled.params or {})
