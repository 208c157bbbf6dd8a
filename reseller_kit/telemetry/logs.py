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
_encode_line: Final = msgspec.json.Encoder().encode


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

    at: float
    """Seconds since 1970."""
    request_id: str
    tenant: str
    method: str
    path: str
    status: int
    latency_ms: int


class _JsonLine(msgspec.Struct, frozen=True, kw_only=True):
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
        self._format = _json_line if log_format == "json" else _console
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


def _json_line(line: AccessLine) -> str:
    return _encode_line(
        _JsonLine(
            time=_iso(line.at),
            request_id=line.request_id,
            tenant=line.tenant,
            method=line.method,
            path=line.path,
            status=line.status,
            latency_ms=line.latency_ms,
        )
    ).decode()


def _console(line: AccessLine) -> str:
    took = f"{line.latency_ms} ms"
    return f"{_iso(line.at)} {line.status} {line.method} {line.path} {took} {line.tenant} {line.request_id}"


def _iso(seconds: float) -> str:
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
