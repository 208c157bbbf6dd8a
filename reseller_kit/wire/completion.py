"""The intermediate form of an answer, whole and as events. Decodes and sends nothing.

A codec's `read_completion` and `EventReader` bring its dialect's answers into this form, its `write_completion` and
`EventWriter` bring the form out.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from ..core.errors import KitError, UpstreamFailed
from ..core.usage import Usage
from .conversation import Media, Reasoning, Text, ToolCall

Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "context_length"]
PartKind = Literal["text", "refusal", "reasoning", "tool_call"]


class Completion(Struct, frozen=True, kw_only=True):
    """A whole answer: its parts in order, why it ended, and what the upstream reported (None: nothing usable)."""

    parts: tuple[Text | Reasoning | ToolCall | Media, ...]
    finish: Finish
    stop_sequence: str | None = None
    usage: Usage | None = None


class PartStarted(Struct, frozen=True, kw_only=True):
    """A part begins; at most one is open at a time. `call_id`, `name`, `custom`: of a tool call."""

    kind: PartKind
    call_id: str = ""
    name: str = ""
    custom: bool = False


class PartGrew(Struct, frozen=True):
    """More text of the open part: words, thoughts, or a tool call's arguments."""

    text: str


class PartEnded(Struct, frozen=True, kw_only=True):
    """The open part is whole. `signature` and `maker` as in `Reasoning` and `ToolCall`."""

    signature: str | None = None
    maker: str | None = None
    redacted: bool = False


class Finished(Struct, frozen=True, kw_only=True):
    """The answer is whole; no part is open."""

    finish: Finish
    stop_sequence: str | None = None


Event = PartStarted | PartGrew | PartEnded | Finished


class EventReader(Protocol):
    """Reads one upstream's stream. Raises nothing: what goes wrong is in `error`.

    `usage`: what was reported of the whole answer. `opening`: what was said before it, whose input alone can be
    believed. `begun`: an event came, whatever it said. `done`: the dialect's terminal event came;
    after it, and after `error`, nothing more is read.
    """

    usage: Usage | None
    opening: Usage | None
    begun: bool
    done: bool
    error: UpstreamFailed | None

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete."""

    def end(self) -> list[Event]:
        """The upstream closed the stream: what was held is handed out."""


class EventWriter(Protocol):
    """Writes the caller's stream. Its opening comes with the first part or by `open`, its end by `finish` or `fail`."""

    def open(self) -> bytes:
        """The events that say only that an answer begins; nothing where there are none, or they are written."""

    def write(self, event: Event) -> bytes:
        """The bytes for one event; those of `Finished` are held back for `finish`."""

    def ping(self) -> bytes:
        """Something that keeps the connection alive and that every client of this dialect passes over; may be empty."""

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, showing the usage that is charged."""

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""


class Tap(Protocol):
    """One streamed answer on its way to the caller, metered as it passes. Raises nothing."""

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported of all that it wrote so far; None where it has not."""

    @property
    def opening(self) -> Usage | None:
        """What it said before it wrote, whose input alone can be believed."""

    @property
    def started(self) -> bool:
        """Whether content of any kind came."""

    @property
    def done(self) -> bool:
        """Whether the terminal event came; nothing more passes after it."""

    @property
    def error(self) -> UpstreamFailed | None:
        """An error event, a malformed or oversized one; nothing more passes after it."""

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now, whole events only."""

    def open(self) -> bytes:
        """The opening events, where they are not the upstream's own and it has begun: see `EventWriter.open`."""

    def end(self) -> bytes:
        """The upstream closed the stream: what was held."""

    @property
    def whole(self) -> bool:
        """Whether the answer is complete: its terminal event came, or the end of all that was asked for."""

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""

    def estimate_text(self) -> str:
        """The text that came so far, for an estimate where no usage was reported."""

    def ping(self) -> bytes:
        """As `EventWriter.ping`."""

    def finish(self, usage: Usage) -> bytes:
        """As `EventWriter.finish`; sent after settlement."""

    def fail(self, error: KitError) -> bytes:
        """As `EventWriter.fail`."""


class Answer(Protocol):
    """A usable plain answer."""

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, None where nothing usable."""

    @property
    def delivered(self) -> bool:
        """Whether content of any kind came."""

    def estimate_text(self) -> str:
        """All text that the model wrote."""

    def body(self, usage: Usage) -> bytes:
        """The JSON body for the caller, showing `usage` as what is charged."""
