"""More of SQLite's lookaside: the small memory that each connection has of its own, without locks. Opens nothing.

A prepared statement keeps pieces of it for as long as it is kept, and those of SQLite's own 40 slots are gone with the
first few. Every text that is bound or read is then asked of the C library, under a lock of the whole process: a tenth
of the instructions of what a call writes. See "Dynamic Memory Allocation In SQLite", 3.1.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_SQLITE_CONFIG_LOOKASIDE: Final = 13
_SLOT_BYTES: Final = 1_200
_SLOTS: Final = 256


def give(package: str) -> None:
    """Let each connection of this package's SQLite have 300 kB; before it is imported, since then it takes no settings.

    Where it is imported already, or can't be told, connections have SQLite's own 48 kB and work as well.
    """
    spec = find_spec(package)
    for place in () if spec is None else spec.submodule_search_locations or ():
        for path in Path(place).glob("_sqlite3*.so"):
            with suppress(OSError, AttributeError):
                ctypes.CDLL(str(path)).sqlite3_config(_SQLITE_CONFIG_LOOKASIDE, _SLOT_BYTES, _SLOTS)
