"""Streams between this API's events and the intermediate form's."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import KitError
from ...core.usage import Usage, later
from ..codec import Call, Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartKind, PartStarted
from ..conversation import ToolNames, fit_id
from ..errors import stream_error
from ..json_body import NULL, is_given, quote
from ..reading import StreamReader
from ..sse import MAX_EVENT_BYTES, parse_event
from ..upstream_message import failed
from .completion import AnswerBlock, call_signature, read_finish, stop_reason, thought
from .conversation import shows_thoughts, tool_names
from .stream import (
    BAD,
    NO_HEAD,
    PING,
    STOP,
    TEXT_MEMBERS,
    StreamEvent,
    block_stop,
    decode_event,
    head_of,
    message_start,
    text_behind,
)
from .usage import NOTHING_REPORTED, add_report, delta_usage_object, usage_of

_DELTAS: Final[dict[PartKind, tuple[bytes, bytes]]] = {
    "text": (b"text_delta", b"text"),
    "refusal": (b"text_delta", b"text"),
    "reasoning": (b"thinking_delta", b"thinking"),
    "tool_call": (b"input_json_delta", b"partial_json"),
}
_KINDS: Final = {"text": "text", "thinking": "reasoning", "redacted_thinking": "reasoning", "tool_use": "tool_call"}


class _Start(Struct):
    usage: Raw = NULL


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: Raw = NULL
    stop_sequence: str | None = None


_START: Final = msgspec.json.Decoder(_Start)
_BLOCK: Final = msgspec.json.Decoder(AnswerBlock)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_DELTA: Final = msgspec.json.Decoder(_Delta)
_ENCODER: Final = msgspec.json.Encoder()


class MessageReader(StreamReader):
    """Reads an upstream's stream; see `completion.EventReader`."""

    def __init__(self, reply: Reply, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._maker = reply.maker
        self._reported = NOTHING_REPORTED
        self._open: AnswerBlock | None = None
        self._grew = False
        self._head = NO_HEAD
        self._skipping = False
        self._finished: Finished | None = None

    def _ended(self, events: list[Event]) -> None:
        """A named reason to stop is as good as the terminal event."""
        if self._finished is not None:
            events += self._finish()

    def _read(self, block: bytes, events: list[Event]) -> None:
        more = text_behind(self._head, block) if self._open is not None else None
        if more is not None:
            self._grew = True
            events.append(PartGrew(more.text))
        else:
            events += self._read_event(block)

    def _read_event(self, block: bytes) -> list[Event]:
        name, data = parse_event(block)
        if not data.strip():
            return []
        try:
            event = decode_event(data)
            if event.type != "error" and name != b"error" and not is_given(event.error):
                return self._take(event, block)
            self._give_up(failed(event.error, "an error event"))
        except BAD:
            self._malformed()
        return []

    def _take(self, event: StreamEvent, block: bytes) -> list[Event]:
        match event.type:
            case "content_block_delta":
                return self._grow(_DELTA.decode(event.delta), event.delta, block)
            case "content_block_start":
                return self._start(_BLOCK.decode(event.content_block))
            case "content_block_stop":
                return self._close()
            case "message_start":
                if event.message != NULL:
                    self._report(_START.decode(event.message).usage, opening=True)
            case "message_delta":
                self._report(event.usage)
                delta = _DELTA.decode(event.delta) if is_given(event.delta) else _Delta()
                if is_given(delta.stop_reason):
                    self._finished = Finished(finish=read_finish(delta.stop_reason), stop_sequence=delta.stop_sequence)
            case "message_stop":
                return self._finish()
            case _:
                pass
        return []

    def _start(self, block: AnswerBlock) -> list[Event]:
        found = self._close()
        kind = _KINDS.get(block.type)
        self._skipping = kind is None
        if kind is None:
            return found
        self._open, self._grew, self._head = block, False, NO_HEAD
        if kind == "tool_call":
            found.append(PartStarted(kind="tool_call", call_id=block.id, name=block.name))
            return found
        found.append(PartStarted(kind="text" if kind == "text" else "reasoning"))
        if block.text or block.thinking:
            found.append(PartGrew(block.text or block.thinking))
        return found

    def _grow(self, delta: _Delta, raw: Raw, block: bytes) -> list[Event]:
        if self._skipping:
            return []
        if delta.signature and self._open is not None:
            self._open.signature += delta.signature
        member = TEXT_MEMBERS.get(delta.type)
        text: str = getattr(delta, member) if member is not None else ""
        if member is None or not text:
            return []
        found: list[Event] = []
        if self._open is None:
            # An upstream that leaves the start of a block out.
            if member == "partial_json":
                return []
            found = self._start(AnswerBlock(type=member))
        self._grew = True
        # Events of the same form need not be decoded.
        self._head = head_of(block, bytes(_MEMBERS.decode(raw)[member]))
        found.append(PartGrew(text))
        return found

    def _close(self) -> list[Event]:
        block, self._open, self._skipping = self._open, None, False
        if block is None:
            return []
        if block.type == "tool_use" and not self._grew:
            given = bytes(block.input).decode() if is_given(block.input) else "{}"
            return [PartGrew(given), PartEnded()]
        if block.type == "redacted_thinking":
            return [PartEnded(signature=block.data, maker=self._maker, redacted=True)]
        if block.type == "thinking":
            return [PartEnded(signature=block.signature or None, maker=self._maker)]
        return [PartEnded()]

    def _finish(self) -> list[Event]:
        self.done = True
        return [*self._close(), self._finished or Finished(finish="stop")]

    def _report(self, report: Raw, *, opening: bool = False) -> None:
        self._reported = add_report(self._reported, report)
        usage = usage_of(self._reported)
        if opening:
            self.opening = usage
        else:
            self.usage = later(self.usage, usage)


class MessageWriter:
    """Writes the caller's stream; see `completion.EventWriter`."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._reply = reply
        self._names = ToolNames(tool_names(call))
        self._shown = shows_thoughts(call)
        self._opened = False
        self._index = 0
        self._part: PartStarted | None = None
        self._head = b""
        self._begun = False
        self._called = False
        self._finished: Finished | None = None

    def write(self, event: Event) -> bytes:
        """The bytes for one event; those of `Finished` are held back for `finish`."""
        if isinstance(event, PartGrew):
            return self._grow(event.text)
        if isinstance(event, PartStarted):
            self._part, self._begun = event, False
            # A thought may turn out to be withheld: what kind of block it is, its first words tell.
            return b"" if event.kind == "reasoning" else self._begin()
        if isinstance(event, PartEnded):
            return self._end(event)
        self._finished = event
        return b""

    def ping(self) -> bytes:
        """Keeps the connection alive; clients pass over it."""
        return PING

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, showing the usage that is charged."""
        finished = self._finished or Finished(finish="stop")
        reason = stop_reason(finished.finish, finished.stop_sequence, called=self._called)
        return b"%b%b%b" % (
            self.open(),
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"%b","stop_sequence":%b},'
            b'"usage":%b}\n\n'
            % (reason.encode(), _ENCODER.encode(finished.stop_sequence), _ENCODER.encode(delta_usage_object(usage))),
            STOP,
        )

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        return stream_error(error, "anthropic", request_id=self._reply.request_id)

    def open(self) -> bytes:
        """The opening event, which says only that an answer begins."""
        if self._opened:
            return b""
        self._opened = True
        # Some clients read the input here and nowhere else; others put what `finish` says in its place.
        return message_start(self._reply, Usage(input_tokens=self._reply.likely_input))

    def _is_hidden(self) -> bool:
        return self._part is None or (self._part.kind == "reasoning" and not self._shown)

    def _begin(self) -> bytes:
        part = self._part
        if part is None:
            return b""
        self._begun = True
        self._head = self._delta_head(*_DELTAS[part.kind])
        match part.kind:
            case "tool_call":
                self._called = True
                name = self._names.original(part.name)
                block = b'{"type":"tool_use","id":%b,"name":%b,"input":{}}' % (quote(fit_id(part.call_id)), quote(name))
            case "reasoning":
                block = b'{"type":"thinking","thinking":"","signature":""}'
            case _:
                block = b'{"type":"text","text":""}'
        return self.open() + self._block(block)

    def _block(self, block: bytes) -> bytes:
        return b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n' % (
            self._index,
            block,
        )

    def _delta_head(self, kind: bytes, member: bytes) -> bytes:
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
        ) % (self._index, kind, member)

    def _grow(self, text: str) -> bytes:
        if self._is_hidden() or self._part is None:
            return b""
        begun = b"" if self._begun else self._begin()
        return b"%b%b%b}}\n\n" % (begun, self._head, quote(text))

    def _end(self, event: PartEnded) -> bytes:
        part, hidden = self._part, self._is_hidden()
        if part is None or hidden:
            self._part = None
            return b""
        maker = event.maker or self._reply.maker
        out = b""
        if part.kind == "reasoning":
            if event.redacted and not self._begun:
                self._part = None
                withheld = thought("", event.signature, maker, redacted=True)
                return self.open() + self._block(_ENCODER.encode(withheld)) + self._stop()
            out = b"" if self._begun else self._begin()
            signed = thought("", event.signature, maker, redacted=False)["signature"]
            out += b"%b%b}}\n\n" % (self._delta_head(b"signature_delta", b"signature"), quote(signed))
        out += self._stop()
        self._part = None
        if part.kind == "tool_call":
            for block in call_signature(event.signature, maker):
                out += self._block(_ENCODER.encode(block)) + self._stop()
        return out

    def _stop(self) -> bytes:
        out = block_stop(self._index)
        self._index += 1
        return out
