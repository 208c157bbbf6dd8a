"""The connections to one endpoint: kept alive, bounded, last used first. Chooses no route and repeats no request."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from .addresses import public_addresses
from .connection import Connection
from .endpoint import Endpoint
from .faults import TransportFailed
from .response import Response


class Pool:
    """At most `endpoint.max_concurrency` exchanges at once; a request beyond waits up to `connect_seconds` for a slot.

    Belongs to the event loop it is first used in.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._tls = _tls_context(endpoint.ca_file) if endpoint.scheme == "https" else None
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_use = 0
        self._closed = False

    @property
    def in_use(self) -> int:
        """Exchanges that run now, those that still connect included."""
        return self._in_use

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return len(self._idle)

    async def send(self, head: bytes, body: bytes | None = None) -> Response:
        """Send one request and wait for the head of its answer.

        `head` is what `request_head` made, further header lines (each with CRLF) appended by a caller who vouches
        for them; `body` None sends no content-length. Raises TransportFailed.
        """
        await self._take_slot()
        try:
            connection = self._kept() or await self._connect()
        except BaseException:
            self._free_slot()
            raise
        if body is None:
            response = connection.start(head + b"\r\n")
        else:
            response = connection.start(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        try:
            await response.head()
        except asyncio.CancelledError:
            response.abort()
            raise
        return response

    def close(self) -> None:
        """Take no new request and close what is unused; running exchanges end by themselves."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def abort(self) -> None:
        """Close everything now; readers get TransportFailed (`aborted`)."""
        self.close()
        for connection in tuple(self._connections):
            connection.close()

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """A connection says that its exchange is over."""
        if reusable:
            if self._closed:
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

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> Connection:
        target = self.endpoint
        try:
            async with asyncio.timeout(target.connect_seconds):
                connection = await self._first_of(await self._addresses())
        except TimeoutError as error:
            reason = f"no connection within {target.connect_seconds:g} s"
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

    async def _take_slot(self) -> None:
        if self._closed:
            raise TransportFailed("aborted", "the pool is closed", before_bytes=True)
        if self._in_use < self.endpoint.max_concurrency:
            self._in_use += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self.endpoint.connect_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._free_slot()
            if isinstance(error, TimeoutError):
                reason = f"all {self.endpoint.max_concurrency} slots stayed busy"
                raise TransportFailed("busy", reason, before_bytes=True) from error
            raise

    def _free_slot(self) -> None:
        """Hand the slot to the request that has waited longest, so that none overtakes it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._in_use -= 1


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
