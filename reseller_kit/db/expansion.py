"""How old a version may still work on a schema, so that servers are replaced one after the other. Migrates nothing.

Migrations only add ("expand"). What a version no longer uses is taken away by a later one ("contract"), which says so
in `CONTRACTIONS`. On PostgreSQL the oldest version that fits is kept in the database, as the comment of the table that
holds the schema's revision: a version that has never heard of the newest schema reads it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ..core.errors import Conflict

T = TypeVar("T")

CONTRACTIONS: Final[Mapping[str, str]] = {"0027": "0027", "0030": "0030"}
"""A migration that takes away, renames or narrows something → the newest revision of the oldest version that does
without it. Rolling upgrades begin with 0027; 0030 widens `lot`, which the ledger wrote as records of the table itself.
From 0040 on such tables may grow beneath servers at work: a migration that does so names 0040 as the oldest version.
A test refuses a later migration that contracts and is not in here."""

_LABEL: Final = "fits versions from "
_NOTE: Final = text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
# Below PostgreSQL's deadlock_timeout (1 s): in a deadlock with a server's transaction the upgrade is the one to yield.
_PATIENCE: Final = text("SET LOCAL lock_timeout = '500ms'")
_IS_MADE: Final = text("SELECT to_regclass('lease') IS NOT NULL AND to_regclass('account') IS NOT NULL")
# What a batch of the ledger asks for first: its wallets, or its lease where it has none.
_GATE: Final = text("LOCK TABLE account, lease IN ACCESS EXCLUSIVE MODE")
_LOCK_NOT_AVAILABLE: Final = "55P03"
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 1.0


def oldest() -> str:
    """The newest revision that the oldest version knows to which this version's schema fits."""
    return max(CONTRACTIONS.values())


def note(connection: Connection) -> None:
    """Write down in the database how old a version fits it. Nothing on SQLite, which has one version at a time."""
    if connection.dialect.name == "postgresql":
        # nosemgrep: sql-put-together – a comment binds nothing; the revision is a constant of ours
        connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{_LABEL}{oldest()}'")


def fits(connection: Connection, head: str) -> bool:
    """Whether the database says that a version whose newest revision is `head` may work on it."""
    if connection.dialect.name != "postgresql":
        return False
    label, _, revision = str(connection.scalar(_NOTE) or "").rpartition(" ")
    return f"{label} " == _LABEL and revision <= head


def be_patient(connection: Connection) -> None:
    """Let this transaction wait for no lock longer than servers at work can stand (PostgreSQL)."""
    connection.execute(_PATIENCE)


def stop_at_the_gate(connection: Connection) -> None:
    """Have the ledger's transactions wait where they begin, before they hold what the upgrade wants (PostgreSQL).

    Otherwise each has some tables and waits for others, and under load the upgrade rarely gets all of its own.
    """
    if connection.scalar(_IS_MADE):
        connection.execute(_GATE)


async def giving_way(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until every lock was to be had at once. Raises Conflict when that does not happen within some minutes."""
    for _ in range(_TRIES):
        try:
            return await attempt()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Conflict(
        "A long transaction keeps a table that has to change; nothing was changed.",
        fix="Let reports and dumps end, then run again: reseller-kit db upgrade",
    )
