"""What the emulator answered, one JSON line a request, in memory and in a file. Holds no key."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

FLUSH_SECONDS: Final = 0.2
KEPT_LINES: Final = 200_000
KEPT_BODIES: Final = 2_000
_JSON: Final = msgspec.json.Encoder()


class Line(msgspec.Struct, kw_only=True):
    """One answered request. `usage` is what was reported, `true_usage` what the rule counts, in the dialect's form.

    `classes`: what was used by price class, each unit in exactly one; `reasoning_tokens` are in its `output`.
    `first_usage`: what a stream told at its beginning, if it does. `finished`: false where the connection was cut.
    `body`: the request, if it is small; its digest is always there. `headers`: all but those that hold a secret.
    `timeline`: seconds since 1970 at which each delta of a stream was sent, kept only where the emulator was asked to.
    """

    n: int = 0
    time: str
    name: str
    request_id: str
    client_request_id: str
    method: str
    path: str
    headers: dict[str, str]
    key: str
    dialect: str = "openai"
    query: str = ""
    body_bytes: int = 0
    body_sha256: str = ""
    body: str | None = None
    model: str = ""
    served_model: str = ""
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    status: int = 0
    usage: dict[str, Any] | None = None
    true_usage: dict[str, Any] | None = None
    first_usage: dict[str, Any] | None = None
    classes: dict[str, int | float] = {}
    reasoning_tokens: int = 0
    events: int = 0
    delivered_tokens: int = 0
    finished: bool = False
    fault: str = ""
    seconds: float = 0.0
    timeline: list[float] | msgspec.UnsetType = msgspec.UNSET


class Journal:
    """Keeps the last 200,000 lines; writes to the file at most 0.2 s after the answer."""

    def __init__(self, path: Path | None) -> None:
        self._file: BinaryIO | None = None if path is None else path.open("ab")
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._unwritten: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0

    def add(self, line: Line) -> None:
        """Take down an answer that has ended, under the next number from 1."""
        self._count += 1
        line.n = self._count
        self._lines.append(line)
        if len(self._lines) > KEPT_BODIES:
            self._lines[-KEPT_BODIES - 1].body = None
        if self._file is None:
            return
        self._unwritten.append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Bring the file up to date."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file is not None and self._unwritten:
            self._file.write(_JSON.encode_lines(self._unwritten))
            self._file.flush()
        self._unwritten.clear()

    def select(self, wanted: dict[str, str]) -> bytes:
        """The lines whose fields have these values, as JSON lines."""
        self.flush()
        return _JSON.encode_lines([line for line in self._lines if _fits(line, wanted)])


def now() -> str:
    """The time of a line."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def clock() -> float:
    """Seconds, for durations."""
    return time.monotonic()


def _fits(line: Line, wanted: dict[str, str]) -> bool:
    for name, value in wanted.items():
        found = getattr(line, name, None)
        text = str(found).lower() if isinstance(found, bool) else str(found)
        if text != value:
            return False
    return True
