"""Steady calls to one or more servers while these come and go: what of them was served, turned away, or broke.

Asks the first server that takes its connection, as a balancer does. Judges nothing.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.support.product import Customer, chat_request

_WAIT_SECONDS: Final = 60.0
_PLAIN: Final = "[[input=50 cached=0 output=5]]"
_STREAM: Final = "[[input=50 cached=0 output=15 pace=0.05]]"
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: (\S+)\r\n", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass
class Tally:
    """What became of the calls. `served` are the ids of those that were answered whole."""

    served: list[str] = field(default_factory=list)
    turned_away: Counter[int] = field(default_factory=Counter)
    """By status: whole answers that say to try again."""
    broken: list[str] = field(default_factory=list)
    """Calls that ended in no answer, or in half of one."""


@dataclass
class _Line:
    """One caller's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: int = 0


class _Caller:
    """Calls one after the other: on a connection that it keeps as long as it may, or on one each."""

    def __init__(self, customer: Customer, ports: Sequence[int], tally: Tally, *, kept: bool, stream: bool) -> None:
        self._ports, self._tally, self._kept, self._stream = ports, tally, kept, stream
        request = chat_request(customer, _STREAM if stream else _PLAIN, stream=stream, max_tokens=20)
        self._request = request.replace(b"connection: close\r\n", b"", 1) if kept else request
        self._line: _Line | None = None

    async def live(self, over: asyncio.Event, pause_seconds: float) -> None:
        while not over.is_set():
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._call()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                used = 0 if self._line is None else self._line.used
                self._tally.broken.append(f"{self._name} call {used} of its connection: {error!r}")
                self._hang_up()
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause_seconds)
        self._hang_up()

    @property
    def _name(self) -> str:
        return "stream" if self._stream else "kept" if self._kept else "fresh"

    async def _call(self) -> None:
        if self._line is not None and self._line.reader.at_eof():
            self._hang_up()
        line = self._line = self._line or await self._connected()
        line.used += 1
        line.writer.write(self._request)
        head = await line.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await (line.reader.read(-1) if length is None else line.reader.readexactly(int(length[1])))
        self._note(head, body)
        if not self._kept or length is None or b"\r\nconnection: close\r\n" in head.lower():
            self._hang_up()

    async def _connected(self) -> _Line:
        for port in self._ports:
            with suppress(ConnectionRefusedError):
                return _Line(*await asyncio.open_connection("127.0.0.1", port))
        raise ConnectionRefusedError("nobody listens")

    def _note(self, head: bytes, body: bytes) -> None:
        status = int(head.split(b" ", 2)[1])
        identity = _REQUEST_ID.search(head)
        if status != 200:
            self._tally.turned_away[status] += 1
            if b"\r\nretry-after: " not in head.lower():
                self._tally.broken.append(f"{self._name}: {status} does not say when to try again: {body[:200]!r}")
        elif identity is None or (self._stream and b"data: [DONE]" not in body) or b'"error"' in body:
            self._tally.broken.append(f"{self._name}: half an answer: {body[-200:]!r}")
        else:
            self._tally.served.append(identity[1].decode())

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.writer.close()
            self._line = None


@contextmanager
def steady(
    customers: Sequence[Customer], ports: Sequence[int], *, of_each: int = 4, pause_seconds: float = 0.02
) -> Iterator[Tally]:
    """So many callers of each kind (kept and fresh connections, streams) until the block ends; the last are awaited."""
    tally, loop, over = Tally(), asyncio.new_event_loop(), asyncio.Event()

    async def live() -> None:
        kinds = [(True, False), (False, False), (False, True)]
        callers = [
            _Caller(customers[number % len(customers)], ports, tally, kept=kept, stream=stream)
            for number in range(of_each)
            for kept, stream in kinds
        ]
        await asyncio.gather(*(caller.live(over, pause_seconds) for caller in callers))

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()), name="steady")
    thread.start()
    try:
        yield tally
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
