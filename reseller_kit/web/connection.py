"""HTTP/1.1 connections of a uvicorn server, with guards against clients that stall. Knows no route."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import termios
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from ..core.ids import new_id
from .cycle import App, Cycle
from .hosts import NAMED_KEY
from .responses import Header

if TYPE_CHECKING:
    import uvicorn

_log = logging.getLogger(__name__)

STALL_SECONDS: Final = 30.0
"""How long a request may be silent, and how long its head may take."""
WHOLE_SECONDS: Final = 70.0
BYTES_A_SECOND: Final = 16 * 1024
"""A whole request has `WHOLE_SECONDS`, and a second more for so many bytes: later than the gateway's own limit."""
UNSENT_BYTES: Final = 32 * 1024
"""What may wait in the kernel for a client that does not keep up."""
_BODY_BYTES: Final = 64 * 1024
"""Of a body that nobody has asked for yet, before the client is held back."""
_HEAD_BYTES: Final = 64 * 1024
"""Of a head, and of whatever comes in a row that is no piece of the body: extensions of chunks, trailers."""
_AROUND_HEADER: Final = len(b": \r\n")
_Refusal = tuple[int, bytes]
_NO_REQUEST: Final[_Refusal] = 400, b"Invalid HTTP request received."
_LARGE_HEAD: Final[_Refusal] = 431, b"The request's head is too large."
_ODD_CODING: Final[_Refusal] = 501, b"No transfer coding but chunked is known here."
_MOST_PLAIN: Final = 500
_MOST_PLAIN_BYTES: Final = 80
_Target = tuple[str, bytes, bytes]
"""A path, the same as it came, and a query."""
_PLAIN_TARGETS: Final[dict[bytes, _Target]] = {}
"""Targets without a query that were looked at before: most requests go to a few paths."""
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_WAITING_BYTES: Final = 16 * 1024
"""And beyond that in this process, before whoever sends is held back."""
READER_SECONDS: Final = 60.0
"""How long a client may take nothing of what waits for it; then what it asked for is ended and settled."""

FIRST_WORD_SECONDS: Final = 1.0
"""How long a server that ends waits for the request of a client that has just connected, or has begun to ask."""
_SHUTDOWN_POLL_SECONDS: Final = 0.05


class State(ServerState):
    """What all connections of a server share. `leaving`: the process ends soon, so nobody shall keep a connection."""

    leaving = False


class Connection(asyncio.Protocol):
    """One client's connection.

    A target in absolute form (`GET http://shop.example/ HTTP/1.1`) outranks the Host header (RFC 9112, section
    3.2.2), and ASGI drops it. Where the two differ the target's host is added as a second Host, so that the one place
    that looks at hosts refuses the request.

    A request that stops to arrive, or drips, would be waited for without end, and so would a client that reads nothing
    of its answer, or asks for nothing more; `close_stalled` ends them.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn makes one for each client."""
        self._app: App = config.loaded_app
        self._keep_alive_seconds = config.timeout_keep_alive
        self._server, self._app_state = server_state, app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        # What follows a request that asks to close is not read, but that request is answered.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._cycle: Cycle | None = None
        """Of the request that is being answered, or was the latest."""
        self._incoming: Cycle
        """Of the request whose body comes."""
        self._waiting: deque[Cycle] = deque()
        self._common: tuple[list[Header], bytes] = ([], b"")
        self._url = b""
        self._headers: list[Header] = []
        """Where headers go: a request's own, trailers nowhere (RFC 9110, section 6.5.1)."""
        self._reading = True
        self.full = False
        self._drained: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """The client connected; its first request is awaited from now on."""
        self.transport = transport
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own protocols alone
        transport.set_write_buffer_limits(high=_WAITING_BYTES)
        self._here, self._there = get_local_addr(transport), get_remote_addr(transport)
        self._heard_at = self._began_at = self._loop.time()
        self._heard_bytes = self._bare_bytes = self._read_bytes = 0
        self._refusal = _NO_REQUEST
        self._receiving = self._in_head = True
        self._idle_since: float | None = None
        self._full_at: float | None = None
        self._unread_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # a protocol's signature
        """The client is gone, or was told to be."""
        self._server.connections.discard(self)
        for cycle in (self._cycle, *self._waiting):
            if cycle is not None:
                cycle.gone = cycle.gone or not cycle.complete
                cycle.ring()
        self._let_write()

    def shutdown(self) -> None:
        """The server ends: so does the connection, after the answer that is under way or just asked for."""
        if self._cycle is not None and not self._cycle.complete:
            self._cycle.keep_alive = False
        elif self._is_about_to_ask():
            self._loop.call_later(_SHUTDOWN_POLL_SECONDS, self.shutdown)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client is slower than its answer."""
        self.full = True
        self._full_at, self._unread_bytes = self._loop.time(), self._unread()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._full_at = None
        self._let_write()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        self._heard_at, self._idle_since = self._loop.time(), None
        self._read_bytes = size = len(data)
        self._heard_bytes += size
        self._bare_bytes += size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            """A client that asks for a WebSocket is answered like any other."""
        except httptools.HttpParserError:
            self._turn_away(*self._refusal)
        else:
            if self._bare_bytes > _HEAD_BYTES and self._receiving:
                self._turn_away(*_LARGE_HEAD)

    def on_message_begin(self) -> None:
        """Parser: a request begins."""
        self._began_at, self._heard_bytes, self._bare_bytes = self._heard_at, self._read_bytes, 0
        self._receiving = self._in_head = True
        self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """Parser: a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header is whole, or a trailer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Parser: the head is whole. What it raises is an invalid request."""
        self._in_head = False
        parser = self._parser
        if not self._url.startswith(b"/"):
            self._claim_host()
        headers, self._headers = self._headers, []
        named = dict(headers)
        if self._heard_bytes > _HEAD_BYTES or b"transfer-encoding" in named:
            self._look_closely(headers)
        path, raw_path, query = _PLAIN_TARGETS.get(self._url) or _target(self._url)
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": parser.get_http_version(),
            "server": self._here,
            "client": self._there,
            "scheme": "http",
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            NAMED_KEY: named,
            "state": self._app_state.copy(),
        }
        present = self._cycle
        leaving = isinstance(self._server, State) and self._server.leaving
        kept = parser.should_keep_alive() and not leaving
        expects = b"expect" in named and named[b"expect"].lower() == b"100-continue"
        cycle = Cycle(self, scope, keep_alive=kept, expects=expects)
        if present is None or present.complete:
            self._begin(cycle)
        else:
            # The client did not wait for the answer: that comes first.
            self._pause_reading()
            self._waiting.append(cycle)
        self._incoming = cycle

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of a body. Whoever waits for it is woken once it is whole, or much, not for each piece."""
        self._bare_bytes = 0
        cycle = self._incoming
        if cycle.complete:
            return
        cycle.add(body)
        if cycle.body_size > _BODY_BYTES:
            self._pause_reading()
            cycle.ring()

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        self._receiving = False
        self._incoming.more_body = False
        self._incoming.ring()

    def common(self) -> bytes:
        """The lines that every answer's head has."""
        headers, lines = self._common
        if headers is not self._server.default_headers:
            headers = self._server.default_headers
            lines = b"".join([b"%s: %s\r\n" % header for header in headers])
            self._common = headers, lines
        return lines

    def resume_reading(self) -> None:
        """Whoever reads the body wants more of it."""
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    async def drained(self) -> None:
        """Returns when the client has taken what waited, or is gone."""
        while self.full:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def answered(self) -> None:
        """The answer's last byte was written: the next request's turn."""
        self._server.total_requests += 1
        if self.transport.is_closing():
            return
        self.resume_reading()
        if self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self._idle_since = self._loop.time()

    def ended(self, task: asyncio.Task[None]) -> None:
        """A request's task has nothing more to do: nobody has to wait for it when the server ends."""
        self._server.tasks.discard(task)

    def _begin(self, cycle: Cycle) -> None:
        self._cycle = cycle
        cycle.task = self._loop.create_task(cycle.run(self._app))
        self._server.tasks.add(cycle.task)

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.transport.pause_reading()

    def _let_write(self) -> None:
        self.full = False
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    def _turn_away(self, status: int, text: bytes) -> None:
        """Answer what can't be understood, and hang up; what is being answered already is not written into."""
        request_id = new_id("req")
        _log.warning("%s: %d: %s", request_id, status, text.decode())
        if self._cycle is not None and self._cycle.started and not self._cycle.complete:
            self.transport.close()
            return
        head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
        fields = (
            b"content-type: text/plain; charset=utf-8\r\nx-request-id: %s\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head + self.common() + fields % (request_id.encode(), len(text)) + text)
        self.transport.close()

    def close_if_stalled(self, now: float) -> None:
        """Close the connection when a request stopped to arrive, or drips, or nobody reads; `now`: the loop's time."""
        if self._full_at is not None and self._reads_nothing(self._full_at, now):
            self.transport.abort()
        elif self._idle_since is not None and now - self._idle_since > self._keep_alive_seconds:
            self.transport.close()
        elif self._receiving and not self._is_answering():
            if self._is_too_late(now):
                self.transport.close()
            elif not self._in_head:
                # It comes slowly: whoever waits for it has a patience of its own.
                self._incoming.ring()

    def _is_too_late(self, now: float) -> bool:
        if now - self._heard_at > STALL_SECONDS:
            return True
        most = STALL_SECONDS if self._in_head else WHOLE_SECONDS + self._heard_bytes / BYTES_A_SECOND
        return now - self._began_at > most

    def _reads_nothing(self, since: float, now: float) -> bool:
        unread = self._unread()
        if unread < self._unread_bytes:
            self._full_at, self._unread_bytes = now, unread
            return False
        return now - since > READER_SECONDS

    def _unread(self) -> int:
        """Bytes that wait for the client, in the kernel too: it takes megabytes before it lets go of any here."""
        waiting = self.transport.get_write_buffer_size()
        with suppress(OSError, ValueError):
            socket = self.transport.get_extra_info("socket")
            waiting += int.from_bytes(fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return waiting

    def _is_about_to_ask(self) -> bool:
        """Whether a request is on its way, as far as can be seen: a connection that is closed then would be reset."""
        if self.transport.is_closing():
            return False
        is_idle = self._idle_since is not None
        return self._unheard() or (not is_idle and self._loop.time() - self._heard_at < FIRST_WORD_SECONDS)

    def _unheard(self) -> bool:
        """Whether bytes of the client wait in the kernel."""
        with suppress(OSError, ValueError):
            socket = self.transport.get_extra_info("socket")
            return any(fcntl.ioctl(socket.fileno(), termios.FIONREAD, bytes(4)))
        return False

    def _is_answering(self) -> bool:
        """Whether an earlier or the present request is being answered, so that more of the client is not awaited."""
        cycle = self._cycle
        if cycle is None or cycle.complete:
            return False
        return bool(self._waiting) or cycle.started or not cycle.more_body

    def _look_closely(self, headers: list[Header]) -> None:
        """Refuse a head that came with the reads of one request and is too large, and a coding that nobody undoes."""
        if len(self._url) + sum(len(name) + len(value) + _AROUND_HEADER for name, value in headers) > _HEAD_BYTES:
            self._refusal = _LARGE_HEAD
        elif any(name == b"transfer-encoding" and value.strip().lower() != b"chunked" for name, value in headers):
            self._refusal = _ODD_CODING
        if self._refusal is not _NO_REQUEST:
            raise ValueError(self._refusal[1].decode())

    def _claim_host(self) -> None:
        _, separator, rest = self._url.partition(b"://")
        if not separator:
            return
        host = rest.partition(b"/")[0].partition(b"?")[0].partition(b"#")[0].lower()
        named = {value.lower() for name, value in self._headers if name == b"host"}
        if named and host not in named:
            self._headers.append((b"host", host))


def _target(url: bytes) -> _Target:
    """A target's parts. Raises what httptools does for one that is none."""
    parsed = httptools.parse_url(url)
    raw_path, query = parsed.path, parsed.query or b""
    path = raw_path.decode("ascii")
    target = unquote(path) if "%" in path else path, raw_path, query
    if raw_path == url and len(url) <= _MOST_PLAIN_BYTES and len(_PLAIN_TARGETS) < _MOST_PLAIN:
        _PLAIN_TARGETS[url] = target
    return target


def close_stalled(connections: Iterable[Any]) -> None:
    """Close those of a server's connections on which a request stopped to arrive."""
    now = asyncio.get_running_loop().time()
    for connection in [each for each in connections if isinstance(each, Connection)]:
        connection.close_if_stalled(now)
