"""HTTP/1.1 connections as uvicorn serves them, with the guards that it lacks. Answers nothing itself."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

STALL_SECONDS: Final = 30.0
"""How long a request may be silent, and how long its head may take."""
WHOLE_SECONDS: Final = 70.0
BYTES_A_SECOND: Final = 16 * 1024
UNSENT_BYTES: Final = 32 * 1024
"""What may wait in the kernel for a client that does not keep up."""
_WAITING_BYTES: Final = 16 * 1024
"""And beyond that in this process, before whoever sends is held back."""
READER_SECONDS: Final = 60.0
"""How long a client may take nothing of what waits for it; then what it asked for is ended and settled."""
"""A whole request has this long, and a second more for each 16 KiB: behind the gateway's own limit, which answers."""


class Connection(HttpToolsProtocol):
    """One client's connection.

    A target in absolute form (`GET http://shop.example/ HTTP/1.1`) outranks the Host header (RFC 9112, section
    3.2.2), and ASGI drops it. Where the two differ the target's host is added as a second Host, so that the one place
    that looks at hosts refuses the request.

    A request that stops to arrive, or drips, would be waited for without end, and so would a client that reads nothing
    of its answer; `close_stalled` ends both.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """The client connected; its first request is awaited from now on."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WAITING_BYTES)
        self._heard_at = self._began_at = self.loop.time()
        self._heard_bytes = 0
        self._receiving = self._in_head = True
        self._full_at: float | None = None
        self._unread_bytes = 0

    def pause_writing(self) -> None:
        """The client is slower than its answer."""
        super().pause_writing()
        self._full_at, self._unread_bytes = self.loop.time(), self._unread()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._full_at = None

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        self._heard_at = self.loop.time()
        self._heard_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Parser: a request begins."""
        self._began_at, self._heard_bytes = self._heard_at, 0
        self._receiving = self._in_head = True
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of a body. Whoever waits for it is woken once it is whole, or much, not for each piece."""
        cycle: RequestResponseCycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        self._receiving = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Parser: the head is whole."""
        self._in_head = False
        if not self.url.startswith(b"/"):
            self._claim_host()
        super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """A client that asks for a WebSocket is answered like any other; that is nothing to be warned of."""

    def close_if_stalled(self, now: float) -> None:
        """Close the connection when a request stopped to arrive, or drips, or nobody reads; `now`: the loop's time."""
        if self._full_at is not None and self._reads_nothing(self._full_at, now):
            self.transport.abort()
        elif self._receiving and not self._is_answering():
            if self._is_too_late(now):
                self.transport.close()
            elif not self._in_head:
                # It comes slowly: whoever waits for it has a patience of its own.
                self.cycle.message_event.set()

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

    def _is_answering(self) -> bool:
        """Whether an earlier or the present request is being answered, so that more of the client is not awaited."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return bool(self.pipeline) or cycle.response_started or not cycle.more_body

    def _claim_host(self) -> None:
        _, separator, rest = self.url.partition(b"://")
        if not separator:
            return
        host = rest.partition(b"/")[0].partition(b"?")[0].partition(b"#")[0].lower()
        named = {value.lower() for name, value in self.headers if name == b"host"}
        if named and host not in named:
            self.headers.append((b"host", host))


def close_stalled(connections: Iterable[Any]) -> None:
    """Close those of a server's connections on which a request stopped to arrive."""
    now = asyncio.get_running_loop().time()
    for connection in [each for each in connections if isinstance(each, Connection)]:
        connection.close_if_stalled(now)
