"""An upstream's answer, read as it arrives. Parses nothing and owns no socket: a connection feeds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from ..core.verdict import Verdict
from .credentials import Ticket
from .decoding import Inflater
from .faults import TransportFailed
from .head import headers_in


class Refusal(Struct, frozen=True):
    """What an answer of 300 or more said, as far as it was read, and whose fault that makes it."""

    body: bytes
    verdict: Verdict


class Source(Protocol):
    """What an answer asks of the connection it comes from."""

    def drained(self) -> None:
        """Everything that had come was taken: read on."""

    def give_up(self, response: Response) -> None:
        """Nobody wants the rest of this answer: stop it."""

    def leave(self, response: Response) -> None:
        """Nobody reads the rest of this answer, but its end is near."""


class Response:
    """An answer whose head has come; the body is taken piece by piece or whole.

    Read it to the end, `leave()` it or `abort()` it, always: `try: … finally: response.abort()`.
    `raw_head`: its status line and headers as they came, without the empty line; at most 128 headers, 64 KiB together.
    `refusal`: of an answer of 300 or more. `ticket`: the key that it came over, to tell of what the head did not say.
    """

    __slots__ = (
        "_on_end",
        "_source",
        "_take",
        "_waiter",
        "buffered",
        "decoder",
        "ended",
        "fault",
        "parts",
        "raw_head",
        "refusal",
        "status",
        "ticket",
    )

    def __init__(self, source: Source, parts: list[bytes]) -> None:
        self.status = 0
        self.raw_head = b""
        self.parts = parts
        self.buffered = 0
        self.ended = False
        self.fault: TransportFailed | None = None
        self.decoder: Inflater | None = None
        self.refusal: Refusal | None = None
        self.ticket: Ticket | None = None
        self._source = source
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[], bool] | None = None
        self._on_end: Callable[[], None] | None = None

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Those of the head, looked for each time: names in small letters, repeated ones joined by `, `."""
        return headers_in(self.raw_head)

    async def chunk(self) -> bytes:
        """The body bytes that have come since the last call, `b""` at its end.

        Raises TransportFailed, after the last byte that came before the fault.
        """
        if self.decoder is not None:
            return await self._decoded_chunk(self.decoder)
        return await self._raw_chunk()

    async def wait(self, take: Callable[[], bool]) -> None:
        """Wait until something has come that is left to `chunk`, or the end, or a fault.

        `take` is asked in the moment in which something comes, and no task is woken for that: it may `pop` what came,
        and says whether to wait on. What it raises is raised here.
        """
        if self.parts or self.ended or self.fault is not None or self.decoder is not None:
            return
        self._take = take
        try:
            await self._arrival()
        finally:
            self._take = None

    def pop(self) -> bytes:
        """The body bytes that have come and were not taken, as they came: compressed ones are left to `chunk`."""
        parts = self.parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        if not self.ended:
            self.buffered = 0
            self._source.drained()
        return data

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises TransportFailed, also (`too_large`) when it is over `limit` bytes."""
        if self.ended and self.decoder is None:
            body = b"".join(self.parts)
            self.parts.clear()
            if len(body) > limit:
                raise self._too_large(limit)
            return body
        pieces: list[bytes] = []
        size = 0
        while piece := await self.chunk():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.abort()
                raise self._too_large(limit)
        return b"".join(pieces)

    def abort(self) -> None:
        """Close the connection, which cancels the work upstream. Without effect once the answer has ended."""
        if not self.ended:
            self._source.give_up(self)

    def leave(self) -> None:
        """The reader has all it wanted, such as `[DONE]`: keep the connection if the end comes within a second.

        Without effect once the answer has ended; a later `abort()` has none either, unless the end fails to come.
        """
        if not self.ended:
            self._source.leave(self)

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call once when the exchange is over, however it ends; at once when it already is."""
        if self.ended or self.fault is not None:
            call()
        else:
            self._on_end = call

    async def head(self) -> None:
        """Wait for status and headers (the pool does). Raises TransportFailed."""
        while not self.status:
            if self.fault is not None:
                raise self.fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def wake(self) -> None:
        """Something has come (the connection says so)."""
        waiter, take = self._waiter, self._take
        if waiter is None or waiter.done():
            return
        if take is not None:
            try:
                if take():
                    return
            except Exception as error:  # noqa: BLE001  # whatever it is, it concerns whoever waits, not the connection
                waiter.set_exception(error)
                return
        waiter.set_result(None)

    def finish(self, fault: TransportFailed | None) -> None:
        """Nothing more will come (the connection says so); `fault` is None after a whole answer."""
        self.ended = fault is None
        self.fault = fault
        self._take = None
        self.wake()
        call, self._on_end = self._on_end, None
        if call is not None:
            call()

    def _too_large(self, limit: int) -> TransportFailed:
        return TransportFailed("too_large", f"the answer is over {limit} bytes", upstream_status=self.status)

    async def _raw_chunk(self) -> bytes:
        while not self.parts:
            if self.fault is not None:
                raise self.fault
            if self.ended:
                return b""
            await self._arrival()
        return self.pop()

    async def _decoded_chunk(self, decoder: Inflater) -> bytes:
        try:
            while not (piece := decoder.take()):
                data = await self._raw_chunk()
                if not data:
                    decoder.finish()
                    return b""
                decoder.feed(data)
        except TransportFailed:
            self.abort()
            raise
        return piece

    async def _arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
