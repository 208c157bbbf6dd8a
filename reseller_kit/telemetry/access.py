"""One access line a request: where it went and what it came to. Never a query, a body, a key or a customer."""

from __future__ import annotations

import sys
from typing import Final

import msgspec

from .logs import LogFormat
from .steps import UNTRACED, Step

_FLUSH_AT: Final = 64
_encode_line: Final = msgspec.json.Encoder().encode


class Note(msgspec.Struct, eq=False):
    """What those who answer a request find out about it, for its line, its metrics and its trace."""

    step: Step = UNTRACED
    request_id: str = ""
    """As the answer bears it."""
    surface: str = ""
    tenant: str = ""
    host: str = ""
    route: str = ""
    """The path as it is written in the table of routes: a path itself may hold a secret."""
    outcome: str = ""
    model: str = ""
    upstream: str = ""
    attempts: int = 0
    left: bool = False
    """Whether the client is known to have gone."""


class AccessLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the access log shows it, in this order."""

    time: str
    message: str = "request"
    request_id: str
    tenant: str
    host: str
    surface: str
    method: str
    route: str
    status: int
    """499: the client left before there was any."""
    outcome: str
    latency_ms: int
    first_byte_ms: int | None
    bytes: int
    model: str
    upstream: str
    attempts: int


class AccessLog:
    """Writes access lines in small batches, so that a busy gateway makes few system calls."""

    def __init__(self, log_format: LogFormat) -> None:
        self._format = _json if log_format == "json" else _console
        self._lines: list[AccessLine] = []

    def write(self, line: AccessLine) -> None:
        """Queue one line; a full queue is written at once, any other by the next `flush`."""
        self._lines.append(line)
        if len(self._lines) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stderr.write("".join([self._format(line) + "\n" for line in lines]))
            sys.stderr.flush()


def _json(line: AccessLine) -> str:
    return _encode_line(line).decode()


def _console(line: AccessLine) -> str:
    where = f"{line.host}{line.route}" if line.route.startswith("/") else line.host
    behind = f" {line.model} by {line.upstream}" if line.upstream else ""
    took = f"{line.latency_ms} ms, {line.bytes} bytes"
    return f"{line.time} {line.status} {line.method} {where} {line.outcome}{behind}, {took} {line.request_id}"
