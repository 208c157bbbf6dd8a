"""A server-sent event stream over ASGI: the sink of `flows.call`. Notices when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ...flows.call.job import Job
from ..responses import Header, Receive, Send, Writer
from .body import has_left

_EVENT_STREAM: Sequence[Header] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class StreamSink:
    """One client's event stream. `close` ends the watch for its leaving; `on_end` gets the last bytes before it.

    `writer`: the server's, if it has one; else a task watches.
    """

    response_headers: Sequence[Header] = _EVENT_STREAM

    def __init__(
        self, receive: Receive, send: Send, headers: Callable[[Job], list[Header]], writer: Writer | None = None
    ) -> None:
        self._send, self._writer = send, writer
        self._headers = headers
        self.on_end: Callable[[bytes], object] | None = None
        self._gone = False
        self._ending = False
        self._on_gone: Callable[[], object] | None = None
        self._watch: asyncio.Task[None] | None = None
        self.started = False
        self.finished = False
        if writer is not None:
            writer.when_gone(self._left)
        else:
            self._watch = asyncio.get_running_loop().create_task(self._wait(receive))

    def gone(self) -> bool:
        """Whether the client has left."""
        return self._gone

    def unwanted(self) -> bool:
        """Whether no answer is to be begun: the client has left, or the call was told to end."""
        return self._gone or self._ending

    def on_gone(self, call: Callable[[], object]) -> None:
        """Call this when the client leaves or the call is told to end, at once if so; the latest one counts."""
        self._on_gone = call
        if self._gone or self._ending:
            call()

    def end(self) -> None:
        """Stop the answer; the client gets to read why."""
        if not self.finished and not self._ending:
            self._ending = True
            if self._on_gone is not None:
                self._on_gone()

    def lose(self) -> None:
        """Stop the answer if anything is held for it: that was lost. Whoever waits for a hold stops nothing yet."""
        if self._on_gone is not None:
            self.end()

    def look(self, now: float) -> None:
        """Nothing to do: it is noticed at once when the client leaves."""

    async def start(self, job: Job) -> None:
        """Send status and headers."""
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": 200, "headers": [*self.response_headers, *self._headers(job)]}
        )

    def ready(self) -> bool:
        """Whether `write` may be called."""
        return self._writer is not None and not self._gone and self._writer.ready()

    def write(self, data: bytes) -> None:
        """Send bytes at once, while it is `ready`."""
        framed = self.framed(data)
        if framed and self._writer is not None:
            self._writer.write(framed)

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send bytes; waits while the client's connection is full."""
        if last:
            if self.on_end is not None:
                self.on_end(data)
            self.finished = True
        framed = self.framed(data, last=last)
        if (framed or last) and not self._gone:
            await self._send({"type": "http.response.body", "body": framed, "more_body": not last})

    def framed(self, data: bytes, *, last: bool = False) -> bytes:  # noqa: ARG002  # other ways to frame a stream need it
        """Whole events as they are sent."""
        return data

    def close(self) -> None:
        """Stop watching."""
        if self._writer is not None:
            self._writer.when_gone(None)
        elif self._watch is not None:
            self._watch.cancel()

    def _left(self) -> None:
        if not self.finished:
            self._gone = True
            if self._on_gone is not None:
                self._on_gone()

    async def _wait(self, receive: Receive) -> None:
        if await has_left(receive):
            self._left()
