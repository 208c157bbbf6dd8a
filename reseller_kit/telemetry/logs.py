"""Log lines on standard error: JSON for machines or text for a console, both redacted."""

from __future__ import annotations

import logging
import sys
import time
from functools import lru_cache
from typing import Any, Literal

import msgspec

from .redaction import redact

LogFormat = Literal["json", "console"]


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        line: dict[str, Any] = {
            "time": iso_time(record.created),
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
        line = f"{iso_time(record.created)} {record.levelname:<7} {redact(record.getMessage())}"
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


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as lines show them: UTC, to the millisecond."""
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
