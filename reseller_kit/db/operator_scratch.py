"""A scratch file for commands that go through more than memory should hold. Never the database of the product."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class Scratch:
    """Values or sums by key, in a file that is gone afterwards."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE line (key TEXT PRIMARY KEY, value, seen INTEGER DEFAULT 0) WITHOUT ROWID")
        self._file.execute("BEGIN")

    def get(self, key: str) -> Any:
        """The value of a key; None when there is none."""
        row = self._file.execute("SELECT value FROM line WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, in place of an earlier one."""
        self._file.execute("INSERT OR REPLACE INTO line (key, value) VALUES (?, ?)", (key, value))

    def add(self, key: str, amount: int) -> None:
        """Add to the sum of a key."""
        self._file.execute(
            "INSERT INTO line (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
            (key, amount),
        )

    def bounds(self) -> tuple[str, str] | None:
        """The smallest and the largest key."""
        low, high = self._file.execute("SELECT min(key), max(key) FROM line").fetchone()
        return None if low is None else (low, high)

    def take(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that are there, which are seen from now on."""
        found = {key: value for key in keys if (value := self.get(key)) is not None}
        self._file.executemany("UPDATE line SET seen = 1 WHERE key = ?", [(key,) for key in found])
        return found

    def unseen(self) -> Iterable[tuple[str, Any]]:
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
