"""Monthly partitions of the tables that every call grows, on PostgreSQL. The only place that makes or drops one.

A partition is a range of the time-ordered id, so primary keys stay what they are. What fits no month lies in a default
partition: a call never fails for want of one. Only the tables' owner can make partitions; privileges and policies are
the parent's, and nobody needs any on a partition itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, text

from ..core.months import Month, month_of
from .engine import EVERY_TENANT, NO_TENANT, Database, now_us

PARTITIONED: Final = {"usage_record": ("id", "req"), "entry": ("txn_id", "txn")}
"""Table → its time-ordered key and the prefix of the ids there."""

MONTHS_AHEAD: Final = 3
_LOCK: Final = 7_164_002
_LOCK_WAIT: Final = "2s"


def is_partition(name: str) -> bool:
    """Whether a table's name is that of a part of a partitioned table."""
    return any(re.fullmatch(rf"{table}_(default|\d{{4}}_\d{{2}})", name) for table in PARTITIONED)


def wanted(now: int) -> list[Month]:
    """The present month and those to come."""
    return [month_of(now).later(number) for number in range(MONTHS_AHEAD + 1)]


async def missing(db: Database) -> list[str]:
    """The partitions that the present and coming months still want; nothing on SQLite."""
    if db.backend != "postgresql":
        return []
    async with db.read(NO_TENANT) as connection:
        return await connection.run_sync(
            lambda sync: [
                partition_name(table, month)
                for table in PARTITIONED
                for month in _missing(sync, table, wanted(now_us()))
            ]
        )


async def stray_rows(db: Database) -> list[str]:
    """The tables whose default partition holds rows."""
    if db.backend != "postgresql":
        return []
    async with db.read(EVERY_TENANT) as connection:
        return await connection.run_sync(lambda sync: [table for table in PARTITIONED if _has_strays(sync, table)])


async def make_ahead(db: Database) -> list[str]:
    """Make the partitions that the present and coming months want; which. One process at a time, the others pass."""
    if db.backend != "postgresql" or not await missing(db):
        return []
    async with db.administer() as connection:
        if not await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")):
            return []
        return await connection.run_sync(lambda sync: ensure(sync, wanted(now_us())))


def ensure(connection: Connection, months: Sequence[Month]) -> list[str]:
    """Make the partitions of these months that are missing, and move rows there that the default ones took in."""
    return [name for table in PARTITIONED for name in _ensure(connection, table, months)]


def make_parents(connection: Connection, table: str, months: Sequence[Month]) -> None:
    """Give a freshly made partitioned table its default partition and these months."""
    _run(connection, f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    _ensure(connection, table, months)


def drop(connection: Connection, table: str, month: Month) -> bool:
    """Detach and drop the partition of a month, with its rows; False when there is none."""
    _wait_briefly(connection)
    name = partition_name(table, month)
    if name not in _existing(connection, table):
        return False
    _run(connection, f"ALTER TABLE {table} DETACH PARTITION {name}")
    _run(connection, f"DROP TABLE {name}")
    return True


def partition_name(table: str, month: Month) -> str:
    """Such as usage_record_2026_08."""
    return f"{table}_{month.year:04}_{month.number:02}"


def _wait_briefly(connection: Connection) -> None:
    # Waiting for a lock on the parent holds up every call behind it; the next round tries again.
    _run(connection, f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")


def _make(connection: Connection, table: str, month: Month) -> None:
    """Attaching, unlike creating in place, does not lock out those who write to the other partitions."""
    name, (key, prefix) = partition_name(table, month), PARTITIONED[table]
    first, end = month.first_id(prefix), month.later().first_id(prefix)
    within = f"WHERE {key} >= '{first}' AND {key} < '{end}'"
    _run(connection, f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    _run(connection, f"INSERT INTO {name} SELECT * FROM {table}_default {within}")  # noqa: S608  # names of ours
    _run(connection, f"DELETE FROM {table}_default {within}")  # noqa: S608  # names of ours
    _run(connection, f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')")


def _ensure(connection: Connection, table: str, months: Sequence[Month]) -> list[str]:
    _wait_briefly(connection)
    missing_months = _missing(connection, table, months)
    for month in missing_months:
        _make(connection, table, month)
    return [partition_name(table, month) for month in missing_months]


def _missing(connection: Connection, table: str, months: Sequence[Month]) -> list[Month]:
    existing = _existing(connection, table)
    return [month for month in months if partition_name(table, month) not in existing]


def _has_strays(connection: Connection, table: str) -> bool:
    """Asked through the parent, which is all that the application's role may read: what lies between the months."""
    key, prefix = PARTITIONED[table]
    found = sorted(_existing(connection, table))
    there = [Month(int(name[-7:-3]), int(name[-2:])) for name in found if not name.endswith("_default")]
    gaps = (
        [f"{key} < '{there[0].first_id(prefix)}'", f"{key} >= '{there[-1].later().first_id(prefix)}'"] if there else []
    )
    gaps += [
        f"{key} >= '{one.later().first_id(prefix)}' AND {key} < '{other.first_id(prefix)}'"
        for one, other in pairwise(there)
        if one.later() != other
    ]
    where = " OR ".join(gaps) or "true"
    statement = f"SELECT EXISTS (SELECT FROM {table} WHERE {where})"  # noqa: S608  # names of ours
    return bool(connection.scalar(text(statement)))


def _existing(connection: Connection, table: str) -> set[str]:
    found = connection.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)"),
        {"parent": table},
    )
    return set(found)


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
