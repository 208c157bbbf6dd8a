"""What the readers of all streams have in common. Knows no API."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..core.errors import UpstreamFailed
from ..core.usage import Usage
from .completion import Event
from .sse import MAX_EVENT_BYTES, EventSplitter


class StreamReader(ABC):
    """A `completion.EventReader`, but for what an API's events say: it adds `_read`, and `_ended` where it needs to."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.usage: Usage | None = None
        self.opening: Usage | None = None
        self.done = False
        self.begun = False
        self.error: UpstreamFailed | None = None
        self._splitter = EventSplitter(max_event_bytes)
        self._at_end = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""
        events: list[Event] = []
        if not self._closed:
            self._read_all(self._splitter.feed(data), events)
            if self._splitter.overflow and not self._closed:
                self._give_up("an event over the size limit")
        return events

    def end(self) -> list[Event]:
        """The upstream closed the stream: take an event that it left without its blank line."""
        self._at_end = True
        events: list[Event] = []
        if not self._closed:
            self._read_all(self._splitter.close(), events)
        if not self._closed:
            self._ended(events)
        return events

    @property
    def _closed(self) -> bool:
        return self.done or self.error is not None

    def _read_all(self, blocks: list[bytes], events: list[Event]) -> None:
        for block in blocks:
            if self._closed:
                return
            self._read(block, events)
            self.begun = self.begun or not block.startswith(b":")

    @abstractmethod
    def _read(self, block: bytes, events: list[Event]) -> None:
        """Read one event of the stream into `events`."""

    def _ended(self, events: list[Event]) -> None:  # noqa: B027  # most APIs have nothing left to say then
        """The stream is over without its terminal event."""

    def _malformed(self) -> None:
        """An event that can't be read; half of one at the end is none."""
        if not self._at_end:
            self._give_up("a malformed event")

    def _give_up(self, error: UpstreamFailed | str) -> None:
        """Stop reading; the first fault stays."""
        fault = UpstreamFailed(error, upstream_status=200) if isinstance(error, str) else error
        self.error = self.error or fault
