"""One HTTP/1.1 connection to an upstream, with one request at a time. Follows no redirect and repeats nothing.

The hot path is `buffer_updated`: the parser appends body pieces straight to a list and one waiting reader is woken
per read. A head is kept as it came, since hardly anybody asks for its headers. Deadlines are timestamps that a single
lazy timer looks at, never a timer per piece.
"""

from __future__ import annotations

import asyncio
import socket
from math import inf
from typing import Protocol, cast

import httptools

from ..core.deadlines import Deadlines
from .decoding import inflater_for
from .endpoint import Endpoint
from .faults import FaultKind, TransportFailed
from .head import CONTENT_ENCODING, CONTENT_LENGTH, ENCODING, END, LINE_END, TRANSFER_ENCODING, values_in
from .response import Response

MAX_HEADERS = 128
"""Lines of an answer's head."""
MAX_OVERHEAD_BYTES = 64 * 1024
READ_BYTES = 16 * 1024
"""One read of a socket, so that what one answer can have in memory is a small multiple of it."""
HIGH_WATER_BYTES = 16 * 1024
WINDOW_BYTES = 1024 * 1024
"""What the kernel takes for a reader that is held back; 10 MB/s over 100 ms."""
COPIED_BYTES = 16 * 1024
"""Up to here head and body are put together for one write; larger bodies cost more to copy."""
STALL_SECONDS = 600.0
LEAVE_SECONDS = 1.0


class Owner(Protocol):
    """What a connection tells its pool."""

    buffer: memoryview
    """Where all of its connections read to, one after the other: `READ_BYTES`."""

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """The exchange is over. Called once for each exchange."""

    def gone(self, connection: Connection) -> None:
        """The transport is closed."""


class Connection(asyncio.BufferedProtocol):
    """A protocol for `loop.create_connection`: sends one request after another and parses what comes back."""

    _transport: asyncio.Transport

    def __init__(self, endpoint: Endpoint, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._owner = owner
        self._loop = loop
        self._open = False
        self._parts: list[bytes] = []
        self._response: Response | None = None
        self._head = b""
        """What has come of an answer whose head is not whole."""
        self._overhead_bytes = 0
        self._served = False
        self._complete = False
        self._keep_alive = False
        self._until_close = False
        self._paused = False
        self._left = False
        self._deadline = self._ends_at = inf
        self._limits = endpoint.deadlines
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)

    @property
    def usable(self) -> bool:
        """Open and free for a request."""
        return self._open and self._response is None and not self._transport.is_closing()

    def start(self, request: bytes, deadlines: Deadlines, body: bytes = b"") -> Response:
        """Send a whole request with one write, `body` behind it if given; the connection is `usable`."""
        response = self._response = Response(self, self._parts)
        self._head, self._overhead_bytes = b"", 0
        self._until_close = False
        if len(body) > COPIED_BYTES:
            self._transport.writelines((request, body))
        else:
            self._transport.write(request + body)
        self._limits = deadlines
        now = self._loop.time()
        self._ends_at = now + deadlines.total
        self._arm(deadlines.first_byte, now)
        return response

    def give_up(self, response: Response) -> None:
        """Cut the exchange of this response, if it is the one that runs."""
        if self._response is response and not self._left:
            self._fail("aborted", "given up by the reader")

    def drained(self) -> None:
        """The reader took everything: read on if reading was held back."""
        if self._paused and self._response is not None:
            self._paused = False
            self._arm(self._limits.idle, self._loop.time())
            self._transport.resume_reading()

    def leave(self, response: Response) -> None:
        """Wait a moment for the end of an answer that nobody reads any more, to keep the connection."""
        if self._response is response and not self._left:
            self._parts.clear()
            response.buffered = 0
            self._arm(LEAVE_SECONDS, self._loop.time())
            self._left = True
            if self._paused:
                self._paused = False
                self._transport.resume_reading()

    def keep(self) -> None:
        """Wait for the next request, for as long as the endpoint says."""
        self._ends_at = inf
        self._arm(self._endpoint.keep_alive_seconds, self._loop.time())

    def close(self) -> None:
        """Close the unused connection, or cut the exchange that runs on it."""
        if self._response is not None:
            self._fail("aborted", "the pool was closed")
        elif self._open:
            self._disarm()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is ready."""
        self._transport = cast("asyncio.Transport", transport)
        self._open = True
        if hasattr(socket, "TCP_WINDOW_CLAMP"):
            own: socket.socket = transport.get_extra_info("socket")
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, WINDOW_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone: a body that runs until the close ends here, any other breaks."""
        self._open = False
        self._disarm()
        response = self._response
        if response is not None:
            if exc is None and response.status and self._until_close:
                self._keep_alive = False
                self._finish(response)
            else:
                self._fail("reset", f"connection lost: {exc}" if exc else "connection closed too early")
        # The parser holds this object's bound methods: without it no cycle is left for the collector.
        del self._parser
        self._owner.gone(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # as asyncio calls it
        """Where the next read goes."""
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """One read from the socket; the parser copies what it keeps."""
        self.data_received(self._owner.buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """The bytes of one read."""
        response = self._response
        if response is None:
            self.close()
            return
        pieces = len(self._parts)
        response.buffered += len(data)
        if not response.status:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._broken(response, error)
            return
        if self._complete:
            self._finish(response)
            return
        if self._left:
            self._discard(response)
            return
        if response.status:
            self._deadline = min(self._loop.time() + self._limits.idle, self._ends_at)
        if len(self._parts) > pieces:
            self._overhead_bytes = 0
            if response.buffered > HIGH_WATER_BYTES:
                self._hold_back()
        else:
            self._overhead_bytes += len(data)
            if self._overhead_bytes > MAX_OVERHEAD_BYTES:
                self._fail("malformed", f"over {MAX_OVERHEAD_BYTES} bytes of headers, trailers or chunk extensions")
                return
        response.wake()

    def on_message_begin(self) -> None:
        """Parser: an answer begins."""
        if self._complete:
            raise ValueError("bytes follow the answer")

    def on_headers_complete(self) -> None:
        """Parser: the head is whole. What it raises breaks the exchange."""
        response = self._response
        if response is None:
            raise ValueError("an answer to no request")
        status = self._parser.get_status_code()
        head, _, rest = self._head.lstrip(LINE_END).partition(END)
        if head.count(b"\n") > MAX_HEADERS:
            raise ValueError(f"more than {MAX_HEADERS} headers")
        if status < 200:
            if status < 100 or status == 101:
                raise ValueError(f"status {status} was not asked for")
            self._head = rest
            return
        self._keep_alive = self._parser.should_keep_alive()
        lowered = head.lower()
        if lowered.find(ENCODING) >= 0 or not self._keep_alive:
            self._frame(response, lowered)
        response.status, response.raw_head = status, head
        self._head = b""

    def on_message_complete(self) -> None:
        """Parser: the answer is whole."""
        if self._response is not None and self._response.status:
            self._complete = True

    def _frame(self, response: Response, lowered: bytes) -> None:
        """How the body is sent and where it ends, unless it is as long as the head says and the connection is kept."""
        transfer = values_in(lowered, TRANSFER_ENCODING)
        if transfer not in ([], [b"chunked"]):
            raise ValueError("the transfer-encoding is not chunked")
        self._until_close = not (transfer or values_in(lowered, CONTENT_LENGTH))
        encoding = values_in(lowered, CONTENT_ENCODING)
        if encoding:
            response.decoder = inflater_for(b", ".join(encoding))

    def _discard(self, response: Response) -> None:
        self._parts.clear()
        if response.buffered > HIGH_WATER_BYTES:
            self._fail("aborted", "the answer went on after its reader had left")

    def _finish(self, response: Response) -> None:
        self._response = None
        self._complete = self._left = False
        self._served = True
        self._deadline = inf
        # Its reader may come late, and the pieces of the next answer go to this list.
        response.parts = self._parts.copy()
        self._parts.clear()
        # An answer that came before the whole request was sent leaves the rest of it in the pipe.
        reusable = self._keep_alive and not self._transport.get_write_buffer_size()
        if not reusable:
            self._disarm()
            self._transport.abort()
        response.finish(None)
        self._owner.released(self, reusable=reusable)

    def _broken(self, response: Response, error: Exception) -> None:
        cause = error.__context__ or error
        if self._complete:
            self._keep_alive = False
            self._finish(response)
        elif isinstance(cause, TransportFailed):
            self._fail(cause.kind, cause.reason)
        else:
            self._fail("malformed", f"not a usable HTTP answer: {str(cause) or type(cause).__name__}")

    def _fail(self, kind: FaultKind, reason: str) -> None:
        response = self._response
        if response is None:
            return
        self._response = None
        self._disarm()
        self._transport.abort()
        fault = TransportFailed(
            kind,
            reason,
            before_bytes=not response.status and not response.buffered,
            reused=self._served,
            upstream_status=response.status or None,
        )
        response.finish(fault)
        self._owner.released(self, reusable=False)

    def _hold_back(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._arm(STALL_SECONDS, self._loop.time())

    def _arm(self, seconds: float, now: float) -> None:
        deadline = now + seconds
        self._deadline = deadline = min(self._ends_at, deadline)
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer(max(deadline - now, 0))

    def _set_timer(self, seconds: float) -> None:
        self._timer_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look_at_deadline)

    def _disarm(self) -> None:
        self._deadline = self._timer_at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_deadline(self) -> None:
        self._timer, self._timer_at = None, inf
        left = self._deadline - self._loop.time()
        if left > 0:
            if left < inf:
                self._set_timer(max(left, 0.001))
        elif self._response is None:
            self.close()
        elif self._left:
            self._fail("aborted", f"no end within {LEAVE_SECONDS:g} s after its reader had left")
        elif self._deadline == self._ends_at:
            self._fail("timeout", f"no end within {self._limits.total:g} s")
        elif self._paused:
            self._fail("timeout", f"the reader took nothing for {STALL_SECONDS:g} s")
        elif self._response.status:
            self._fail("timeout", f"no byte of the body for {self._limits.idle:g} s")
        else:
            self._fail("timeout", f"no answer within {self._limits.first_byte:g} s")
