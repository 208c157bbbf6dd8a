"""The connections to one endpoint: kept alive, bounded, last used first. Chooses no route and repeats no request."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from ..core.fairness import FairQueue, Turn
from .addresses import public_addresses
from .connection import READ_BYTES, Connection
from .endpoint import Endpoint
from .faults import Busy, TransportFailed
from .passage import DIRECT, Passage
from .response import Response

_AGAIN_SECONDS: Final = 1
"""When a request that found no room may come again: slots free themselves all the time."""
_STALE_IN_A_ROW: Final = 3
_FRESH_SECONDS: Final = 60
"""An upstream that keeps connections open, and closes them on the next request, gets new ones for so long."""


class Pool:
    """At most `endpoint.max_concurrency` exchanges at once; whoever comes beyond waits for a turn.

    Belongs to the event loop it is first used in.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._tls = _tls_context(endpoint.ca_file) if endpoint.scheme == "https" else None
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        queue = endpoint.queue
        self._queue: FairQueue[_Waiting] = FairQueue(most=queue.length, most_each=queue.length_per_tenant)
        self._in_use = 0
        self._closed = False
        self._stale = 0
        self._fresh_until = 0.0

    @property
    def in_use(self) -> int:
        """Exchanges that run now, those that still connect included."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._queue)

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return len(self._idle)

    async def send(self, head: bytes, body: bytes | None = None, passage: Passage = DIRECT) -> Response:
        """Send one request and wait for the head of its answer.

        `head` is what `request_head` made, further header lines (each with CRLF) appended by a caller who vouches
        for them; `body` None sends no content-length. Raises Busy or TransportFailed.
        """
        limits = passage.deadlines or self.endpoint.deadlines
        if self._in_use < self.endpoint.max_concurrency and not self._closed:
            self._in_use += 1
        else:
            await self._wait_for_slot(passage.turn)
        try:
            if passage.gate is not None:
                await passage.gate()
            kept = self._kept()
            connection = kept or await self._connect(limits.connect)
        except BaseException:
            self._free_slot()
            raise
        end = b"\r\n" if body is None else b"content-length: %d\r\n\r\n" % len(body)
        response = connection.start(head + end, limits, body or b"")
        if passage.exchange is not None:
            passage.exchange.in_flight = True
        try:
            await response.head()
        except asyncio.CancelledError:
            response.abort()
            raise
        except TransportFailed as error:
            if error.stale:
                self._distrust_kept()
            raise
        if kept is not None:
            self._stale = 0
        return response

    def close(self) -> None:
        """Take no new request and close what is unused; running exchanges end by themselves."""
        self._closed = True
        self._close_idle()

    def abort(self) -> None:
        """Close everything now; readers get TransportFailed (`aborted`)."""
        self.close()
        for connection in tuple(self._connections):
            connection.close()

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """A connection says that its exchange is over."""
        if reusable:
            fresh = self._fresh_until and asyncio.get_running_loop().time() < self._fresh_until
            if self._closed or fresh:
                connection.close()
            else:
                self._idle.append(connection)
                connection.keep()
        self._free_slot()

    def gone(self, connection: Connection) -> None:
        """A connection says that it is closed."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _distrust_kept(self) -> None:
        """A kept connection was dead, so the others may be: whoever repeats the request gets a new one."""
        self._close_idle()
        self._stale += 1
        if self._stale >= _STALE_IN_A_ROW:
            self._stale = 0
            self._fresh_until = asyncio.get_running_loop().time() + _FRESH_SECONDS

    def _close_idle(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, seconds: float) -> Connection:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._first_of(await self._addresses())
        except TimeoutError as error:
            reason = f"no connection within {seconds:g} s"
            raise TransportFailed("connect", reason, before_bytes=True) from error
        except (OSError, UnicodeError) as error:
            raise TransportFailed("connect", f"no connection: {error}", before_bytes=True) from error
        if not connection.usable:
            raise TransportFailed("connect", "the connection was closed at once", before_bytes=True)
        self._connections.add(connection)
        return connection

    async def _addresses(self) -> list[str]:
        """What to connect to: the host, or its addresses where these have to be public ones."""
        target = self.endpoint
        return await public_addresses(target.host, target.port) if target.public_only else [target.host]

    async def _first_of(self, addresses: list[str]) -> Connection:
        target, loop = self.endpoint, asyncio.get_running_loop()
        for position, address in enumerate(addresses, 1):
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(target, self, loop),
                    address,
                    target.port,
                    ssl=self._tls,
                    server_hostname=target.host if self._tls else None,
                )
            except OSError:
                if position == len(addresses):
                    raise
            else:
                return connection
        raise OSError("no address")

    async def _wait_for_slot(self, turn: Turn) -> None:
        if self._closed:
            raise TransportFailed("aborted", "the pool is closed", before_bytes=True)
        waiting = _Waiting(turn)
        if not self._queue.put(turn, waiting):
            own = self._queue.waiting(turn.tenant_id) >= self._queue.most_each
            raise Busy("too many requests wait already", retry_after=_AGAIN_SECONDS, own=own)
        seconds = self.endpoint.queue.seconds
        timer = waiting.get_loop().call_later(seconds, self._give_up, waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.queued:
                self._queue.drop(turn, waiting)
            elif not waiting.cancelled():
                self._free_slot()
            raise
        finally:
            timer.cancel()

    def _give_up(self, waiting: _Waiting) -> None:
        """A request has waited for too long."""
        if waiting.queued and not waiting.done():
            self._queue.drop(waiting.turn, waiting)
            waiting.queued = False
            reason = f"all {self.endpoint.max_concurrency} slots stayed busy for {self.endpoint.queue.seconds:g} s"
            waiting.set_exception(Busy(reason, retry_after=_AGAIN_SECONDS))

    def _free_slot(self) -> None:
        """Hand the slot to the request whose turn it is, so that none overtakes it."""
        while len(self._queue):
            waiting = self._queue.take(_Waiting.turn_of)
            waiting.queued = False
            # Cancelled already, though its task has not run since.
            if not waiting.done():
                waiting.set_result(None)
                return
        self._in_use -= 1


class _Waiting(asyncio.Future[None]):
    """A request that waits for its turn, in the queue while `queued`."""

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self.turn = turn
        self.queued = True

    def turn_of(self) -> Turn:
        """On whose behalf it waits."""
        return self.turn


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
