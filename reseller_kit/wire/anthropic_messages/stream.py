"""Streamed answers to messages requests: metered and rewritten to the storefront's names as the bytes pass.

`message_delta` and `message_stop` are held back until the charge is settled. Nothing of an upstream but what is listed
here reaches the caller, and no delta of the common form is decoded whole. Source: Anthropic, "Streaming Messages".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import KitError, UpstreamFailed
from ...core.usage import Usage, later
from ..codec import Call, Reply
from ..errors import stream_error
from ..json_body import NULL, is_given, quote
from ..known import Known, names
from ..sse import MAX_EVENT_BYTES, EventSplitter, parse_event
from ..text_log import TextLog
from ..texts import string_or_empty, text_of
from ..upstream_message import failed
from .answer import BLOCK, message_id
from .usage import NOTHING_REPORTED, add_report, delta_usage_object, usage_object, usage_of

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
TEXT_MEMBERS: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
"""Deltas that carry what the model wrote, and the member that it is in."""
NO_HEAD: Final = b"\n\n"
_PAD: Final = b" "
_EMPTY_BLOCKS: Final = frozenset({"text", "thinking"})
_OPTIONAL: Final = ("context_management",)


class _Start(Struct):
    usage: Raw = NULL


class Delta(Struct):
    """A delta as far as it is metered."""

    type: str = ""
    text: Raw = NULL
    thinking: Raw = NULL
    partial_json: Raw = NULL
    content: Raw = NULL


class _Block(Struct):
    type: str = ""


class StreamEvent(Struct):
    """An event with its members raw."""

    type: str = ""
    message: Raw = NULL
    index: int = 0
    content_block: Raw = NULL
    delta: Raw = NULL
    usage: Raw = NULL
    context_management: Raw = NULL
    error: Raw = NULL


class _Ending(Struct):
    stop_reason: Raw = NULL
    stop_sequence: Raw = NULL
    stop_details: Raw = NULL


_EVENT: Final = msgspec.json.Decoder(StreamEvent)
_START: Final = msgspec.json.Decoder(_Start)
_BLOCK: Final = msgspec.json.Decoder(_Block)
_DELTA: Final = msgspec.json.Decoder(Delta)
_OTHER_DELTA: Final = Known(names("type signature citation content"))
_ENDING: Final = msgspec.json.Decoder(_Ending)
_ENCODER: Final = msgspec.json.Encoder()
BAD: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What decoding of an upstream's bytes may raise."""


def opens(name: bytes, _data: bytes) -> bool:
    """Whether an event of a caller's stream only says that an answer begins, or that it is still awaited."""
    return name in (b"message_start", b"ping")


def decode_event(data: bytes) -> StreamEvent:
    """One event's data. Raises one of `BAD`."""
    if not data.isascii():
        data.decode()
    return _EVENT.decode(data)


def message_start(reply: Reply, usage: Usage) -> bytes:
    """The event that opens a stream."""
    return (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message","role":"assistant",'
        b'"model":%b,"content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}}\n\n'
    ) % (quote(message_id(reply.request_id)), quote(reply.model), _ENCODER.encode(usage_object(usage)))


def block_stop(index: int) -> bytes:
    """The event that ends a block."""
    return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % index


class Found(Struct, frozen=True):
    """The text of a delta: decoded, as it stands there, and what follows it."""

    text: str
    raw: bytes
    rest: bytes


def text_behind(head: bytes, block: bytes) -> Found | None:
    """The text of an event that begins like one seen before and has nothing but its text to tell it from that."""
    if not block.startswith(head):
        return None
    end = block.rfind(b'"') + 1
    raw, rest = block[len(head) : end], block[end:]
    # Some upstreams pad their events with blanks, so that their length tells nothing.
    if rest != b"}}" and rest.replace(_PAD, b"") != b"}}":
        return None
    text = string_or_empty(raw)
    return Found(text, raw, rest) if text else None


def head_of(block: bytes, raw: bytes) -> bytes:
    """What comes before the text in an event, for `text_behind`; what no event begins with where that can't be told."""
    return block.partition(raw)[0] if block.count(raw) == 1 else NO_HEAD


class MessageTap:
    """One streamed answer on its way to the caller; see `completion.Tap`."""

    def __init__(self, call: Call, reply: Reply, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:  # noqa: ARG002
        self.usage: Usage | None = None
        self.opening: Usage | None = None
        self.started = False
        self.done = False
        self.error: UpstreamFailed | None = None
        self._reply = reply
        self._reported = NOTHING_REPORTED
        self._events = EventSplitter(max_event_bytes)
        self._log = TextLog()
        self._head = NO_HEAD
        self._sent_head = b""
        self._opened = False
        self._closed = False
        self._at_end = False
        self._ending = _Ending()
        self._optional: dict[str, bytes] = {}

    @property
    def whole(self) -> bool:
        """Whether the terminal event came, or at least the reason why the model stopped."""
        return self.done or (self.error is None and is_given(self._ending.stop_reason))

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""
        return self._log.characters

    def estimate_text(self) -> str:
        """The text that came so far: words, thoughts, tool names and their input."""
        return self._log.text()

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now, whole events only."""
        if self._closed:
            return b""
        blocks = self._events.feed(data)
        out = self._pass_on(blocks[0]) if len(blocks) == 1 else self._feed_blocks(blocks)
        if self._events.overflow and not self._closed:
            self._give_up(UpstreamFailed("an event over the size limit", upstream_status=200))
        return out

    def open(self) -> bytes:
        """Nothing: the upstream's own opening passes."""
        return b""

    def end(self) -> bytes:
        """The upstream closed the stream: take an event that it left without its blank line.

        Half an event is no error here; whether the answer is whole, `whole` tells.
        """
        self._at_end = True
        return self._feed_blocks(self._events.close())

    def ping(self) -> bytes:
        """Keeps the connection alive; clients pass over it."""
        return PING

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, to be sent after settlement, with the charged usage."""
        self._closed = True
        ending = self._ending
        details = b',"stop_details":%b' % bytes(ending.stop_details) if is_given(ending.stop_details) else b""
        return b"%b%b%b" % (
            self._open(),
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":%b,"stop_sequence":%b%b},'
            b'"usage":%b%b}\n\n'
            % (
                bytes(ending.stop_reason),
                bytes(ending.stop_sequence),
                details,
                _ENCODER.encode(delta_usage_object(usage)),
                b"".join(b',"%b":%b' % (name.encode(), value) for name, value in self._optional.items()),
            ),
            STOP,
        )

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        self._closed = True
        return stream_error(error, "anthropic", request_id=self._reply.request_id)

    def _feed_blocks(self, blocks: list[bytes]) -> bytes:
        out = []
        for block in blocks:
            if self._closed:
                break
            out.append(self._pass_on(block))
        return b"".join(out)

    def _pass_on(self, block: bytes) -> bytes:
        """An event like the one before but for its text, or any other, decoded."""
        found = text_behind(self._head, block)
        if found is None:
            return self._read_event(block)
        self._log.add(found.text)
        return b"%b%b%b\n\n" % (self._sent_head, found.raw, found.rest)

    def _read_event(self, block: bytes) -> bytes:
        name, data = parse_event(block)
        if not data.strip():
            return b""
        try:
            event = decode_event(data)
            if event.type == "error" or name == b"error" or is_given(event.error):
                return self._give_up(failed(event.error, "an error event"))
            return self._passed(event, block)
        except BAD:
            return b"" if self._at_end else self._give_up(UpstreamFailed("a malformed event", upstream_status=200))

    def _passed(self, event: StreamEvent, block: bytes) -> bytes:
        match event.type:
            case "content_block_delta":
                return self._delta(event, block)
            case "content_block_start":
                return self._block(event)
            case "content_block_stop":
                return self._open() + block_stop(event.index)
            case "message_start":
                return self._start(event)
            case "message_delta":
                self._end(event)
            case "message_stop":
                self.done = self._closed = True
            case "ping":
                return PING
            case _:
                pass
        return b""

    def _start(self, event: StreamEvent) -> bytes:
        if event.message != NULL:
            self._report(_START.decode(event.message).usage, opening=True)
        return self._open()

    def _open(self) -> bytes:
        """The opening event, once; an upstream that leaves it out gets one here."""
        if self._opened:
            return b""
        self._opened = True
        return message_start(self._reply, self.opening or Usage())

    def _block(self, event: StreamEvent) -> bytes:
        if _BLOCK.decode(event.content_block).type not in _EMPTY_BLOCKS:
            self.started = True
        text = text_of(event.content_block)
        if text:
            self.started = True
            self._log.add(text)
        return self._open() + (
            b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
            % (event.index, bytes(BLOCK.only(event.content_block)))
        )

    def _delta(self, event: StreamEvent, block: bytes) -> bytes:
        delta = _DELTA.decode(event.delta)
        member = TEXT_MEMBERS.get(delta.type)
        raw = bytes(getattr(delta, member)) if member is not None else b""
        text = string_or_empty(raw) if member is not None else text_of(delta.content)
        if text:
            self.started = True
            self._log.add(text)
        if member is not None and not text:
            raw = b'""'
        if member is not None:
            sent_head = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
            ) % (event.index, delta.type.encode(), member.encode())
            if text:
                self._head, self._sent_head = head_of(block, raw), sent_head
            return self._open() + b"%b%b}}\n\n" % (sent_head, raw)
        return self._open() + (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
            % (event.index, bytes(_OTHER_DELTA.only(event.delta)))
        )

    def _end(self, event: StreamEvent) -> None:
        """Hold back why the model stopped, and note the usage; a later event says what an earlier one left open."""
        self._report(event.usage)
        if is_given(event.delta):
            ending = _ENDING.decode(event.delta)
            if is_given(ending.stop_reason):
                self._ending = ending
        for name in _OPTIONAL:
            value = getattr(event, name)
            if is_given(value):
                self._optional[name] = bytes(value)

    def _report(self, report: Raw, *, opening: bool = False) -> None:
        self._reported = add_report(self._reported, report)
        usage = usage_of(self._reported)
        if opening:
            self.opening = usage
        else:
            self.usage = later(self.usage, usage)

    def _give_up(self, error: UpstreamFailed) -> bytes:
        self._closed = True
        self.error = error
        return b""
