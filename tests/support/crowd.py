"""Many callers at once, each on a connection of its own, and what each of them got to see. Judges nothing."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from tests.support.product import Customer, chat_request

T = TypeVar("T")

START_SECONDS: Final = 60.0
MOST_OUTPUT: Final = 4000
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: (\S+)\r\n", re.IGNORECASE)


@dataclass(eq=False)
class Call:
    """One call as its caller sees it."""

    customer: Customer
    stream: bool
    began_at: float = 0.0
    ended_at: float | None = None
    received: bytes = b""
    refused: bool = False
    """The connection itself was refused: there was no server."""
    _done: threading.Event = field(default_factory=threading.Event)
    _writer: asyncio.StreamWriter | None = None

    @property
    def request_id(self) -> str | None:
        """The id in the answer's head; None before it."""
        found = _REQUEST_ID.search(self.received)
        return None if found is None else found[1].decode()

    @property
    def status(self) -> int | None:
        """The answer's status; None without one."""
        return int(self.received.split(b" ", 2)[1]) if self.received.startswith(b"HTTP/1.1 ") else None

    @property
    def tokens(self) -> int:
        """Content deltas that came."""
        return self.received.count(b'"delta":{"content":" ') + self.received.count(b'"delta":{"content":"the"')

    @property
    def finished(self) -> bool:
        """Whether the answer is whole, as far as the caller can tell."""
        if self.stream:
            return b"data: [DONE]" in self.received
        return self.status == 200 and self.received.endswith(b"}")

    @property
    def failed_in_band(self) -> bool:
        """Whether a stream that had begun ended with an error event."""
        return self.status == 200 and b'data: {"error":' in self.received

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        return self._done.is_set()

    @property
    def seconds(self) -> float:
        """How long it took."""
        assert self.ended_at is not None
        return self.ended_at - self.began_at


class Crowd:
    """Callers that live in a thread of their own, so that a test can look on and do harm."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.calls: list[Call] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, port: int, customer: Customer, text: str, *, stream: bool = True, **body: Any) -> Call:
        """Begin one call."""
        call = Call(customer, stream)
        self.calls.append(call)
        # Named, so that the credit of one customer holds for many calls at once.
        document = {"max_tokens": MOST_OUTPUT, **body}
        self._run(self._begin(port, call, chat_request(customer, text, stream=stream, **document)))
        return call

    def calls_of(self, port: int, customers: Iterable[Customer], text: str, *, stream: bool = True) -> list[Call]:
        """Begin one call for each customer."""
        return [self.call(port, customer, text, stream=stream) for customer in customers]

    def leave(self, call: Call) -> None:
        """The caller hangs up."""
        self._run(self._leave(call))

    def wait(self, calls: Iterable[Call], seconds: float) -> None:
        """Wait until these calls are over."""
        deadline = time.monotonic() + seconds
        left = [call for call in calls if not call._done.wait(max(0.0, deadline - time.monotonic()))]
        assert not left, f"{len(left)} calls go on after {seconds:g} s; one has {left[0].received[-300:]!r}"

    def wait_for_tokens(self, calls: Iterable[Call], number: int, seconds: float = START_SECONDS) -> None:
        """Wait until each of these streams has so many tokens."""
        deadline = time.monotonic() + seconds
        waiting = list(calls)
        while waiting := [call for call in waiting if call.tokens < number]:
            assert time.monotonic() < deadline, f"{len(waiting)} streams wait: {waiting[0].received[-300:]!r}"
            assert not waiting[0].over, waiting[0].received[-300:]
            time.sleep(0.05)

    async def _begin(self, port: int, call: Call, request: bytes) -> None:
        task = asyncio.create_task(self._live(port, call, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, port: int, call: Call, request: bytes) -> None:
        call.began_at = time.time()
        parts: list[bytes] = []
        try:
            reader, call._writer = await asyncio.open_connection("127.0.0.1", port)
            call._writer.write(request)
            while data := await reader.read(65536):
                parts.append(data)
                call.received = b"".join(parts) if len(parts) < 4 else call.received + data
        except ConnectionRefusedError:
            call.refused = True
        except OSError:
            pass
        finally:
            if call._writer is not None:
                call._writer.close()
            call.ended_at = time.time()
            call._done.set()

    async def _leave(self, call: Call) -> None:
        if call._writer is not None:
            call._writer.transport.abort()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)


@contextmanager
def crowd() -> Iterator[Crowd]:
    """A crowd; whoever still calls at the end hangs up."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="crowd")
    thread.start()
    made = Crowd(loop)
    try:
        yield made
    finally:
        for call in made.calls:
            if not call.over:
                with suppress(Exception):
                    made.leave(call)
        for call in made.calls:
            call._done.wait(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
