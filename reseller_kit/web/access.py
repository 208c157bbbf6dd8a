"""What is logged, counted and traced of each request, from its arrival to its last byte. Answers nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..flows.runtime import Runtime
from ..telemetry.access import AccessLine, Note
from ..telemetry.logs import iso_time
from ..telemetry.steps import UNTRACED
from .hosts import Headers, Peers, is_secure
from .responses import WRITER_KEY, Header, Message, Send, Writer

NOTE_KEY: Final = "reseller_kit.note"
"""Where a request's `Note` is in its scope."""
NO_ROUTE: Final = "none"
_QUIET: Final = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by whoever watches; counted, not logged."""
_LEFT: Final = 499
_ID: Final = b"x-request-id"
_STRICT: Final = (b"strict-transport-security", b"max-age=31536000")
"""A browser that came by https once comes by nothing else for a year. Names below the host are their owner's affair."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Visit:
    """One request, over when it is closed. `send` in place of the server's own."""

    def __init__(self, runtime: Runtime, trusted: Peers, scope: dict[str, Any], send: Send) -> None:
        self._runtime, self._method, self._send = runtime, scope["method"], send
        self._writer: Writer | None = scope.get(WRITER_KEY)
        if self._writer is not None:
            scope[WRITER_KEY] = self
        self._began_at, self._began_ns = time.time(), time.monotonic_ns()
        self._status = self._bytes = self._first_ns = 0
        self.secure = is_secure(scope, trusted)
        """Whether the client came by https."""
        self.note = scope[NOTE_KEY] = Note(route=NO_ROUTE)
        if runtime.traces is not None:
            parent = _parent(scope["headers"]) if trusted.include(scope) else None
            self.note.step = runtime.traces.begin("request", parent)

    async def send(self, message: Message) -> None:
        """Hand on what is sent, and take note of it."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if not self.note.request_id:
                self.note.request_id = next(
                    (value.decode("latin-1") for name, value in message["headers"] if name == _ID), ""
                )
            if self.secure:
                message = {**message, "headers": [*message["headers"], _STRICT]}
        elif message.get("body"):
            if not self._bytes:
                self._first_ns = time.monotonic_ns()
            self._bytes += len(message["body"])
        await self._send(message)

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """As `Writer.answer`, and take note of it."""
        if self._writer is None or not self._writer.answer(
            status, (*headers, _STRICT) if self.secure else headers, body
        ):
            return False
        self._status, self._bytes, self._first_ns = status, len(body), time.monotonic_ns()
        return True

    def ready(self) -> bool:
        """As `Writer.ready`."""
        return self._writer is not None and self._writer.ready()

    def write(self, body: bytes) -> None:
        """As `Writer.write`, and take note of it."""
        if self._writer is not None:
            self._bytes += len(body)
            self._writer.write(body)

    def when_gone(self, call: Callable[[], None] | None) -> None:
        """As `Writer.when_gone`."""
        if self._writer is not None:
            self._writer.when_gone(call)

    def close(self) -> None:
        """The request is over: log it, count it, end its trace."""
        note, status = self.note, self._status or _LEFT
        took_ns = time.monotonic_ns() - self._began_ns
        outcome = note.outcome or _outcome(status)
        method = self._method if self._method in _METHODS else "other"
        metrics = self._runtime.metrics
        metrics.http_requests.labels(note.surface, f"{status // 100}xx").inc()
        metrics.http_seconds.labels(note.surface).observe(took_ns / 1e9)
        if note.step is not UNTRACED:
            note.step.tell(
                name=f"{method} {note.route}",
                request_id=note.request_id,
                tenant=note.tenant,
                surface=note.surface,
                status=status,
                model=note.model,
                attempts=note.attempts,
            )
            note.step.end(outcome)
        if note.route in _QUIET:
            return
        self._runtime.access_log.write(
            AccessLine(
                time=iso_time(self._began_at),
                request_id=note.request_id,
                tenant=note.tenant,
                host=note.host,
                surface=note.surface,
                method=method,
                route=note.route,
                status=status,
                outcome=outcome,
                latency_ms=took_ns // 1_000_000,
                first_byte_ms=(self._first_ns - self._began_ns) // 1_000_000 if self._first_ns else None,
                bytes=self._bytes,
                model=note.model,
                upstream=note.upstream,
                attempts=note.attempts,
            )
        )


def _outcome(status: int) -> str:
    if status == _LEFT:
        return "left"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"


def _parent(headers: Headers) -> tuple[str, str, bool] | None:
    """Trace, span and whether it is sampled, of whoever asked (W3C Trace Context, version 00)."""
    values = [value for name, value in headers if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    return found[1].decode(), found[2].decode(), bool(int(found[3], 16) & 1)
