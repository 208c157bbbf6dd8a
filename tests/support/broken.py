"""A product whose database lacks something for a moment, so that tests see what a fault looks like from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.product import Shop


@contextmanager
def without_table(shop: Shop, name: str) -> Iterator[None]:
    """A database in which a table is not to be found."""
    (file,) = Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]).glob("*.db")

    def rename(before: str, after: str) -> None:
        connection = sqlite3.connect(file, timeout=20, isolation_level=None)
        connection.execute("PRAGMA legacy_alter_table=ON")
        connection.execute(f"ALTER TABLE {before} RENAME TO {after}")
        connection.close()

    rename(name, f"{name}_away")
    try:
        yield
    finally:
        rename(f"{name}_away", name)
