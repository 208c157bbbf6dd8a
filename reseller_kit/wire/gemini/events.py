"""Streams of this API between their bytes and the events of the intermediate form."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.errors import KitError
from ...core.usage import Usage, later
from ..codec import Call, Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartKind, PartStarted
from ..conversation import Media, Reasoning, Text, ToolCall
from ..data_url import data_url
from ..errors import stream_error
from ..gemini_usage import read_usage
from ..json_body import NULL, is_given, quote
from ..reading import StreamReader
from ..sse import parse_event
from ..upstream_message import failed
from .answer import BAD, Candidate, Chunk, decode_chunk, encode_usage, named, named_within, pieces_of
from .completion import PartWriter, finish_of, finish_reason, parts_of
from .stream import MAX_EVENT_BYTES

_ENCODER: Final = msgspec.json.Encoder()


class ChunkReader(StreamReader):
    """Reads an upstream's stream of its first candidate; see `completion.EventReader`."""

    def __init__(self, reply: Reply, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._reply = reply
        self._open: PartKind | None = None
        self._calls = 0
        self._finished = False

    def _ended(self, events: list[Event]) -> None:  # noqa: ARG002
        """No event is the last one by itself: whoever finished may go on."""
        self.done = self._finished

    def _read(self, block: bytes, events: list[Event]) -> None:
        _, data = parse_event(block)
        if not data.strip():
            return
        try:
            chunk = decode_chunk(data)
            if is_given(chunk.error):
                self._give_up(failed(chunk.error, "an error event"))
            else:
                self._take(chunk, events)
        except BAD:
            self._malformed()

    def _take(self, chunk: Chunk, events: list[Event]) -> None:
        if chunk.usage_metadata is not NULL:
            self.usage = later(self.usage, read_usage(chunk.usage_metadata))
        for candidate in chunk.candidates or ():
            if candidate.index == 0:
                self._take_candidate(candidate, events)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            self._finish(Finished(finish="content_filter"), events)

    def _take_candidate(self, candidate: Candidate, events: list[Event]) -> None:
        for piece in pieces_of(candidate.content):
            for part in parts_of(piece, self._reply, self._calls):
                self._hand_out(part, events)
        if candidate.finish_reason is not None:
            self._finish(Finished(finish=finish_of(candidate.finish_reason, called=self._calls > 0)), events)

    def _hand_out(self, part: Text | Reasoning | ToolCall | Media, events: list[Event]) -> None:
        if isinstance(part, ToolCall):
            self._calls += 1
            self._end_part(events)
            events.append(PartStarted(kind="tool_call", call_id=part.id, name=part.name))
            events.append(PartGrew(part.arguments))
            events.append(PartEnded(signature=part.signature, maker=part.maker))
        elif isinstance(part, Reasoning):
            self._think(part, events)
        elif isinstance(part, Text):
            self._grow("text", part.text, events)
        else:
            self._grow("text", f"![{part.kind}]({data_url(part, 'image/png')})", events)

    def _think(self, part: Reasoning, events: list[Event]) -> None:
        if part.text:
            self._grow("reasoning", part.text, events)
        elif self._open != "reasoning":
            self._end_part(events)
            self._open = "reasoning"
            events.append(PartStarted(kind="reasoning"))
        if part.signature:
            self._open = None
            events.append(PartEnded(signature=part.signature, maker=part.maker, redacted=part.redacted))

    def _grow(self, kind: PartKind, text: str, events: list[Event]) -> None:
        if self._open != kind:
            self._end_part(events)
            self._open = kind
            events.append(PartStarted(kind=kind))
        events.append(PartGrew(text))

    def _end_part(self, events: list[Event]) -> None:
        if self._open is not None:
            self._open = None
            events.append(PartEnded())

    def _finish(self, finished: Finished, events: list[Event]) -> None:
        """More may follow: some models say with every event that they have ended."""
        self._end_part(events)
        self._finished = True
        events.append(finished)


class ChunkWriter:
    """Writes the caller's stream; see `completion.EventWriter`. Calls of functions and signatures are told whole."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._parts = PartWriter(call, reply)
        self._named = named(reply)
        self._tail = b'],"role":"model"},"index":0}],%b\n\n' % named_within(reply)
        self._part: PartStarted | None = None
        self._text: list[str] = []
        self._refused = False
        self._finish: Finished | None = None

    def write(self, event: Event) -> bytes:
        """The bytes for one event; those of `Finished` are held back for `finish`."""
        if isinstance(event, PartGrew):
            return self._grow(event.text)
        if isinstance(event, PartStarted):
            self._part, self._text = event, []
            self._refused |= event.kind == "refusal"
        elif isinstance(event, PartEnded):
            return self._end(event)
        else:
            self._finish = event
        return b""

    def open(self) -> bytes:
        """Nothing: a stream of this dialect begins with content."""
        return b""

    def ping(self) -> bytes:
        """Nothing: clients of this dialect take no event but an answer."""
        return b""

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, showing the usage that is charged."""
        finish = self._finish.finish if self._finish else "stop"
        reason = finish_reason(finish, refused=self._refused)
        return (
            b'data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"%b","index":0}],'
            b'"usageMetadata":%b,%b\n\n'
        ) % (reason.encode(), encode_usage(usage), self._named)

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        return stream_error(error, "gemini")

    def _grow(self, text: str) -> bytes:
        part = self._part
        if part is None or not text:
            return b""
        if part.kind == "tool_call":
            self._text.append(text)
            return b""
        if part.kind == "reasoning":
            return self._chunk(b'{"text":%b,"thought":true}' % quote(text)) if self._parts.shows_thoughts else b""
        return self._chunk(b'{"text":%b}' % quote(text))

    def _end(self, ended: PartEnded) -> bytes:
        part, self._part = self._part, None
        if part is None:
            return b""
        if part.kind == "tool_call":
            call = ToolCall(
                id=part.call_id,
                name=part.name,
                arguments="".join(self._text),
                signature=ended.signature,
                maker=ended.maker,
            )
            return self._chunk(_ENCODER.encode(self._parts.call(call)))
        if part.kind == "reasoning" and ended.signature:
            thought = Reasoning(text="", signature=ended.signature, maker=ended.maker)
            written: list[dict[str, Any]] = self._parts.parts(thought)
            return b"".join([self._chunk(_ENCODER.encode(one)) for one in written])
        return b""

    def _chunk(self, part: bytes) -> bytes:
        return b'data: {"candidates":[{"content":{"parts":[%b%b' % (part, self._tail)
