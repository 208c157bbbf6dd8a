"""Where files that sync a lot and are not kept lie best: in memory, as far as this machine has room there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # a folder of random name is made in it
_ROOM_BYTES: Final = 1 << 30


def in_memory() -> Path | None:
    """A folder in memory that everyone may write to; None where there is none, or less than a gigabyte free."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return _MEMORY if usable else None
