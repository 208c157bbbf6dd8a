"""Log lines on standard error: JSON for machines or text for a console, both redacted."""

from __future__ import annotations

import logging
import sys
import time
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from .redaction import redact

LogFormat = Literal["json", "console"]
_FLUSH_AT: Final = 64
_FLUSH_SECONDS: Final = 0.2


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        line: dict[str, Any] = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


class ConsoleFormatter(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        line = f"{_iso(record.created)} {record.levelname:<7} {redact(record.getMessage())}"
        return f"{line}\n{redact(self.formatException(record.exc_info))}" if record.exc_info else line


def configure(log_format: LogFormat) -> None:
    """Send every logger's lines to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # Both log whole URLs at INFO, query strings included.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class AccessLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request as the access log shows it: the path without its query, no key, no body, no customer's address."""

    time: str
    message: str = "request"
    request_id: str
    tenant: str
    method: str
    path: str
    status: int
    latency_ms: int


class AccessLog:
    """Writes access lines in small batches, so that a busy gateway makes few system calls."""

    def __init__(self, log_format: LogFormat) -> None:
        self._json = log_format == "json"
        self._lines: list[bytes] = []
        self._flushed_at = 0.0
        self._encode = msgspec.json.Encoder().encode

    def write(self, line: AccessLine) -> None:
        """Queue one line; full or old queues are written at once."""
        self._lines.append(self._encode(line) if self._json else _console(line).encode())
        if len(self._lines) >= _FLUSH_AT or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        if self._lines:
            sys.stderr.buffer.write(b"\n".join(self._lines) + b"\n")
            sys.stderr.buffer.flush()
            self._lines.clear()
        self._flushed_at = time.monotonic()


def iso_now() -> str:
    """The time as log lines show it."""
    return _iso(time.time())


def _console(line: AccessLine) -> str:
    took = f"{line.latency_ms} ms"
    return f"{line.time} {line.status} {line.method} {line.path} {took} {line.tenant} {line.request_id}"


def _iso(seconds: float) -> str:
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
