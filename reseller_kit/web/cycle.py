"""One request and its answer, between a connection and an ASGI application. Parses nothing.

Sources: ASGI's HTTP message format 2.3; RFC 9110, sections 5.5 (values of fields) and 5.6.2 (names); RFC 9112, sections
6 and 7.1 (how a body ends).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol

from ..core.ids import new_id
from .responses import REQUEST_ID_KEY, WRITER_KEY, Header, Message, Receive, Send

_log = logging.getLogger(__name__)

App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
_STATUS_LINES: Final = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_NOT_IN_VALUES: Final = bytes([*range(9), *range(10, 32), 127])
_OF_THE_CONNECTION: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_MOST_KNOWN: Final = 500
_KNOWN: Final[dict[bytes, bytes]] = {}
"""Names that were looked at before, as their lines begin; but for those of the connection."""
_BODILESS: Final = frozenset({204, 304})
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_PIECES: Final = 256
"""A body that comes byte by byte is put together now and then, or it would take forty times its size."""
_COPIED_BYTES: Final = 16 * 1024
"""Up to here a head and a piece are put together for one write."""


class Line(Protocol):
    """What a cycle needs of its connection."""

    transport: asyncio.Transport
    full: bool
    """Whether more waits to be sent than there should."""

    def common(self) -> bytes:
        """The lines that every answer's head has."""

    def resume_reading(self) -> None:
        """Whoever reads the body wants more of it."""

    async def drained(self) -> None:
        """Returns when the client has taken what waited."""

    def answered(self) -> None:
        """The answer's last byte was written."""

    def ended(self, task: asyncio.Task[None]) -> None:
        """The request's task has nothing more to do."""


class Cycle:
    """One request on its way through the application."""

    __slots__ = (
        "_chunked",
        "_expects",
        "_head",
        "_head_only",
        "_left",
        "_line",
        "_measured",
        "_old",
        "_on_gone",
        "_pieces",
        "_rung",
        "_silent",
        "_waiters",
        "body_size",
        "complete",
        "gone",
        "keep_alive",
        "more_body",
        "scope",
        "started",
        "task",
    )

    def __init__(self, line: Line, scope: dict[str, Any], *, keep_alive: bool, expects: bool) -> None:
        """`expects`: the client waits to be told that its body is wanted."""
        self.task: asyncio.Task[None]
        """What runs it."""
        self._line, self.scope, self._expects = line, scope, expects
        self._old = scope["http_version"] == "1.0"
        self.keep_alive = keep_alive and not self._old
        self._rung = False
        self._waiters: list[asyncio.Future[None]] = []
        self._on_gone: Callable[[], None] | None = None
        self.more_body = True
        self.body_size = 0
        """Bytes that came and were not received yet."""
        self._pieces: list[bytes] = []
        self.gone = self.started = self.complete = False
        self._head = b""
        self._head_only = self._silent = scope["method"] == "HEAD"
        self._chunked = False
        self._measured, self._left = False, 0

    async def run(self, app: App) -> None:
        """Let the application answer. Whatever it fails to do is made an answer, or a closed connection."""
        scope, task = self.scope, self.task
        del self.scope, self.task  # from here on both lead back to this
        scope[WRITER_KEY] = self
        try:
            await app(scope, self.receive, self.send)
        except BaseException:  # noqa: BLE001  # whatever it is, the client gets an answer, and no other task is touched
            _log.exception("%s: the application failed", _request_id(scope))
        else:
            if not (self.gone or self.complete):
                _log.error("%s: the application left its answer unfinished", _request_id(scope))
        try:
            if not (self.gone or self.complete):
                await self._make_up(_request_id(scope))
        finally:
            self._line.ended(task)

    def add(self, piece: bytes) -> None:
        """A piece of the body came."""
        self._pieces.append(piece)
        self.body_size += len(piece)
        if len(self._pieces) > _MOST_PIECES:
            self._pieces = [b"".join(self._pieces)]

    def ring(self) -> None:
        """Wake whoever waits to receive, or whoever comes next: there is something to look at."""
        self._rung = True
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()
        if self.gone:
            call, self._on_gone = self._on_gone, None
            if call is not None:
                call()

    async def receive(self) -> Message:
        """ASGI: the next piece of the body, or that there is nobody to answer any more."""
        if self._expects and not self._line.transport.is_closing():
            self._line.transport.write(_CONTINUE)
            self._expects = False
        if not (self.gone or self.complete):
            self._line.resume_reading()
            if not self._rung:
                await self._heard()
            self._rung = False
        if self.gone or self.complete:
            return {"type": "http.disconnect"}
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self.body_size = [], 0
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """ASGI: the head, then pieces of the body. The head is written with the first piece."""
        if self._line.full and not self.gone:
            await self._line.drained()
        if self.gone:
            return
        expected = "http.response.body" if self.started else "http.response.start"
        if self.complete or message["type"] != expected:
            raise RuntimeError(f"{message['type']!r} was sent out of turn")
        if self.started:
            self._write(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._start(message["status"], list(message.get("headers", ())))

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """As `Writer.answer`."""
        if self.started or self.gone or self._line.full:
            return False
        self._start(status, headers, len(body))
        self._write(body, more=False)
        return True

    def ready(self) -> bool:
        """As `Writer.ready`."""
        return self.started and not (self._head or self._line.full or self.gone or self.complete)

    def write(self, body: bytes) -> None:
        """As `Writer.write`."""
        if self._chunked and 0 < len(body) <= _COPIED_BYTES:
            self._line.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        else:
            self._write(body, more=True)

    def when_gone(self, call: Callable[[], None] | None) -> None:
        """As `Writer.when_gone`; the rest of the request is to have been received."""
        if call is not None and self.gone:
            call()
            return
        self._on_gone = call
        if call is not None and not self.complete:
            self._line.resume_reading()  # or nothing would be heard of its leaving

    async def _heard(self) -> None:
        """Returns once it has rung; what rings for the end is heard by all who wait."""
        while not (self._rung or self.gone or self.complete):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _start(self, status: int, headers: Sequence[Header], length: int | None = None) -> None:
        """Make the head. `length`: the body's, where no header says it."""
        self._measured, self._left, told = length is not None, length or 0, False
        try:
            lines = [_KNOWN[name] + value for name, value in headers]
        except KeyError:
            lines, told = self._looked_at(headers)
        lines.append(b"")
        joined = b"\r\n".join(lines)
        if len(joined) - len(joined.translate(None, _NOT_IN_VALUES)) != 2 * len(lines) - 2:  # those that end lines
            raise RuntimeError("a header's value holds a control character")
        self._silent = self._head_only or status in _BODILESS
        self._chunked = not (self._silent or self._old or self._measured)
        first = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        framing = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        if length is not None:
            framing = b"content-length: %d\r\n" % length
        close = b"" if self.keep_alive or told else b"connection: close\r\n"
        self._head = b"".join((first, self._line.common(), joined, framing, close, b"\r\n"))
        self.started, self._expects = True, False

    def _looked_at(self, headers: Sequence[Header]) -> tuple[list[bytes], bool]:
        """The lines of headers of which some are new or the connection's own, and whether they say that it ends."""
        lines: list[bytes] = []
        told = False
        for given, value in headers:
            begin = _KNOWN.get(given) or _beginning(given)
            name = begin[:-2]
            if name in _OF_THE_CONNECTION:
                told = self._heed(name, value) or told
            if name != b"transfer-encoding":
                lines.append(begin + value)
        return lines, told

    def _heed(self, name: bytes, value: bytes) -> bool:
        """What an answer says of its connection; whether that it ends."""
        if name == b"content-length":
            self._measured, self._left = True, int(value)
        elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _write(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, b""
        parts = self._framed(body, more=more)
        if head:
            parts = (head, *parts)
        transport = self._line.transport
        if len(parts) > 1 and len(body) > _COPIED_BYTES:
            transport.writelines(parts)
        elif parts:
            transport.write(b"".join(parts))
        if not more:
            self.complete = True
            self.ring()
            if not self.keep_alive:
                transport.close()
            self._line.answered()

    def _framed(self, body: bytes, *, more: bool) -> tuple[bytes, ...]:
        """A piece of the body as it is written. Raises RuntimeError for one that its content-length has no room for."""
        if self._silent:
            return ()
        if self._chunked:
            end = () if more else (b"0\r\n\r\n",)
            return (b"%x\r\n" % len(body), body, b"\r\n", *end) if body else end
        if self._measured:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the body is not as long as its content-length says")
        return (body,) if body else ()

    async def _make_up(self, request_id: str) -> None:
        """For an answer that is not whole: another one in its place, or none where it has begun to leave."""
        if self.started and not self._head:
            self._line.transport.close()
        else:
            await self._apologize(request_id)

    async def _apologize(self, request_id: str) -> None:
        """An answer in place of one that the application did not give; what it had begun was not written yet."""
        self.started, self.keep_alive, self._head = False, False, b""
        text = b"Internal Server Error"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
        headers.append((b"x-request-id", request_id.encode()))
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": text})


def _request_id(scope: dict[str, Any]) -> str:
    """The id that the application gave the request, else one that is made for it now."""
    request_id: str = scope.setdefault(REQUEST_ID_KEY, new_id("req"))
    return request_id


def _beginning(name: bytes) -> bytes:
    """How the line of a header begins, to be known from now on. Raises RuntimeError for a name that is none."""
    if _NAME.fullmatch(name) is None:
        raise RuntimeError("a header's name is none")
    begin = name.lower() + b": "
    if begin[:-2] not in _OF_THE_CONNECTION and len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[name] = begin
    return begin
