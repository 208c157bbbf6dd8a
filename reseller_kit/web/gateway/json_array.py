"""A stream as one JSON array that grows, for clients of Gemini's API that did not ask for events (`alt=sse`)."""

from __future__ import annotations

from typing import Final

from ...flows.call.job import Job
from ..responses import Header
from .stream import StreamSink

_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"application/json; charset=UTF-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_DATA: Final = b"data: "


class JsonArraySink(StreamSink):
    """Takes whole events of one line each, and makes each an element."""

    response_headers = _HEADERS
    _empty = True

    async def start(self, job: Job) -> None:
        """Send status and headers."""
        await super().start(job)
        await super().send(b"[")

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send events; the last ones close the array."""
        elements = [event.removeprefix(_DATA) for event in data.split(b"\n\n") if event.startswith(_DATA)]
        joined = b",\r\n".join(elements)
        if elements and not self._empty:
            joined = b",\r\n" + joined
        self._empty = self._empty and not elements
        # Nothing behind the bracket: Google's own client for Python takes it for the beginning of another array.
        await super().send(joined + b"]" if last else joined, last=last)
