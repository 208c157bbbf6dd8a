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
    _opened = False
    _empty = True

    async def start(self, job: Job) -> None:
        """Send status and headers."""
        await super().start(job)
        await self.send(b"")

    def framed(self, data: bytes, *, last: bool = False) -> bytes:
        """As elements; the first ones open the array, the last ones close it."""
        elements = [event.removeprefix(_DATA) for event in data.split(b"\n\n") if event.startswith(_DATA)]
        joined = b",\r\n".join(elements)
        if elements and not self._empty:
            joined = b",\r\n" + joined
        self._empty = self._empty and not elements
        if not self._opened:
            self._opened, joined = True, b"[" + joined
        # Nothing behind the bracket: Google's own client for Python takes it for the beginning of another array.
        return joined + b"]" if last else joined
