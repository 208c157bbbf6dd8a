"""The port that a server of this data directory took last, where links that commands print lead. Serves nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from ..core.urls import DEFAULT_PORT

_FILE: Final = "port"


def note(data_dir: Path, port: int) -> None:
    """Remember it. A folder that nobody may write to is one more reason for `public_url`, none not to serve."""
    with contextlib.suppress(OSError):
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / _FILE).write_text(f"{port}\n", encoding="ascii")


def port_of(data_dir: Path) -> int:
    """The port, or the default where nothing has served yet."""
    try:
        return int((data_dir / _FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return DEFAULT_PORT
