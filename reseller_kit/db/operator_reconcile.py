"""Reads behind `reconcile`: what one upstream served, across tenants, and a scratch file for its export. No judge."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec import Struct
from sqlalchemy import exists, select

from . import tables as t
from .operator_audit import Connection

_CHUNK: Final = 1_000


class Served(Struct, frozen=True):
    """A usage record as `reconcile` needs it; `quantities` is JSON, cost in nano-USD, time in µs."""

    id: str
    upstream_model: str
    quantities: str
    usage_source: str
    cost_nano: int
    created_at: int


async def is_upstream(connection: Connection, name: str) -> bool:
    """Whether there is an upstream of this name, or was one when a call was served."""
    known = await connection.scalar(select(exists().where(t.upstream.c.name == name)))
    return bool(known) or bool(await connection.scalar(select(exists().where(t.usage_record.c.upstream == name))))


async def served(
    connection: Connection, upstream: str, *, since: int | None, until: int | None
) -> AsyncIterator[list[Served]]:
    """What an upstream served from `since` up to before `until`, in order of id, a thousand at a time."""
    u = t.usage_record.c
    columns = [u[name] for name in Served.__struct_fields__]
    statement = select(*columns).where(u.upstream == upstream)
    if since is not None:
        statement = statement.where(u.created_at >= since)
    if until is not None:
        statement = statement.where(u.created_at < until)
    last = ""
    while True:
        rows = await connection.execute(statement.where(u.id > last).order_by(u.id).limit(_CHUNK))
        chunk = [Served(*row) for row in rows]
        if chunk:
            yield chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1].id


class Scratch:
    """Text by key in a file that is gone afterwards, so that an export of any length needs no memory."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE line (key TEXT PRIMARY KEY, value BLOB, seen INTEGER DEFAULT 0) WITHOUT ROWID")
        self._file.execute("BEGIN")

    def get(self, key: str) -> bytes | None:
        """The value of a key."""
        row = self._file.execute("SELECT value FROM line WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, in place of an earlier one."""
        self._file.execute("INSERT OR REPLACE INTO line (key, value) VALUES (?, ?)", (key, value))

    def bounds(self) -> tuple[str, str] | None:
        """The smallest and the largest key."""
        low, high = self._file.execute("SELECT min(key), max(key) FROM line").fetchone()
        return None if low is None else (low, high)

    def take(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that are there, which are seen from now on."""
        found = {key: value for key in keys if (value := self.get(key)) is not None}
        self._file.executemany("UPDATE line SET seen = 1 WHERE key = ?", [(key,) for key in found])
        return found

    def unseen(self) -> Iterable[tuple[str, bytes]]:
        """What was never taken, in order of key."""
        return self._file.execute("SELECT key, value FROM line WHERE seen = 0 ORDER BY key")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A scratch file in a folder of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="reseller-kit-") as folder:
        made = Scratch(f"{folder}/lines.db")
        try:
            yield made
        finally:
            made.close()
