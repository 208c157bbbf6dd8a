"""One connection of the emulator: reads requests, sends answers or the faults that were asked for."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from typing import Final, cast

import httptools
import msgspec

from scripts._emulator import heads, routes
from scripts._emulator.exchange import Plan, Request, World
from scripts._emulator.journal import clock

MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class Emulator(asyncio.Protocol):
    """Serves the requests of one connection in order."""

    _transport: asyncio.Transport

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._waiting: deque[Request] = deque()
        self._running: Plan | None = None
        self._steps: Iterator[float] = iter(())
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The caller connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why is all the same here
        """The caller is gone: an answer that was running is taken down as unfinished."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            self._take_down(self._running, finished=False)
            self._running = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(heads.head(400, "text/plain", "", length=0, extra="connection: close\r\n"))
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        """Parser: (a part of) the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Parser: the head is whole."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Parser: a part of the body."""
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise ValueError("body too large")
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        method = self._parser.get_method().decode("ascii")
        request = Request(method, self._target.decode("latin-1"), self._headers, b"".join(self._body))
        self._target, self._headers, self._body, self._size = b"", {}, [], 0
        self._waiting.append(request)
        if self._running is None:
            self._next()

    def _next(self) -> None:
        while self._waiting and self._running is None and not self._transport.is_closing():
            plan = routes.plan(self._waiting.popleft(), self._world)
            self._running = plan
            self._steps = self._play(plan)
            self._step()

    def _step(self) -> None:
        self._timer = None
        for seconds in self._steps:
            if seconds:
                self._timer = self._loop.call_later(seconds, self._resume)
                return
        if self._running is not None:
            plan, self._running = self._running, None
            self._take_down(plan, finished=not (plan.reset or plan.close))

    def _resume(self) -> None:
        self._step()
        self._next()

    def _play(self, plan: Plan) -> Iterator[float]:
        """Send an answer; yields how long to wait before going on."""
        directives = plan.directives
        yield directives.delay
        pace = directives.pace_seconds or (0.0 if plan.line.stream else directives.drip)
        if pace:
            for position, (piece, deltas) in enumerate(plan.pieces):
                if position > 1:
                    yield pace
                if position == plan.silent_before:
                    yield directives.silence
                self._transport.write(piece)
                self._note(plan, position, deltas)
        elif plan.pieces:
            self._transport.write(b"".join([piece for piece, _ in plan.pieces]))
            for position, (_, deltas) in enumerate(plan.pieces):
                self._note(plan, position, deltas)
        if plan.reset:
            # What was written has to leave before the connection breaks.
            yield 0.01 if plan.pieces else 0.0
            self._reset()
        elif plan.close:
            self._transport.close()

    def _reset(self) -> None:
        """Break the connection so that the caller sees a reset, not an orderly end."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()

    def _note(self, plan: Plan, position: int, deltas: int) -> None:
        if plan.line.stream and 0 < position <= plan.counted_events:
            plan.line.events += 1
        plan.line.delivered_tokens += deltas
        if deltas and plan.line.timeline is not msgspec.UNSET:
            plan.line.timeline.append(time.time())

    def _take_down(self, plan: Plan, *, finished: bool) -> None:
        plan.line.finished = finished
        plan.line.seconds = round(clock() - plan.started, 6)
        if not finished:
            plan.line.usage = None if plan.line.stream else plan.line.usage
        if plan.line.path.startswith("/v1"):
            self._world.journal.add(plan.line)
