"""Reads a chat upstream's stream as events of the intermediate form. Shows nothing of the upstream.

Parallel tool calls may come interleaved; here one part is open at a time. A call that begins while another is open is
kept until the open one is whole, which its arguments tell as soon as they are complete JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import later
from ..codec import Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartKind, PartStarted
from ..json_body import NULL
from ..reading import StreamReader
from ..sse import MAX_EVENT_BYTES, parse_event
from ..upstream_message import failed
from .completion import CalledFunction, CalledTool, Said, arguments_text, finish_of, own_call_id, spoken
from .usage import read_usage

_DONE: Final = b"[DONE]"
_MAX_CALLS: Final = 512
_ANY: Final = msgspec.json.Decoder()
_NO_RAW: Final = (NULL, Raw())


class _Choice(Struct):
    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    usage: Raw = NULL
    error: Raw = NULL


class _Groq(Struct):
    usage: Raw = NULL


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    x_groq: _Groq | None = None
    error: Raw = NULL


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class _OpenCall:
    """A tool call on its way: what of it is not handed out yet, and all of its arguments."""

    __slots__ = ("arguments", "custom", "ended", "id", "name", "started", "waiting")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.custom = False
        self.started = False
        self.ended = False
        self.waiting: list[str] = []
        self.arguments: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether nothing of it can be missing."""
        if self.custom:
            return True
        text = "".join(self.arguments)
        if not text.rstrip().endswith(("}", "]")):
            return False
        try:
            _ANY.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return False
        return True


class EventReader(StreamReader):
    """One chat stream. See `completion.EventReader`."""

    def __init__(self, reply: Reply, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._reply = reply
        self._open: PartKind | None = None
        self._calls: list[_OpenCall] = []
        self._latest: dict[int, _OpenCall] = {}
        self._refused = False
        self._finish_reason: str | None = None

    def _ended(self, events: list[Event]) -> None:
        """Without its last line, a named reason to finish is as good."""
        if self._finish_reason is not None:
            self._finish(events)

    def _read(self, block: bytes, events: list[Event]) -> None:
        name, data = parse_event(block)
        data = data.strip()
        if not data:
            return
        if data == _DONE:
            if not (self._open or self._calls or self._finish_reason or self.usage):
                # Neither a word nor a reason for there being none: that is no answer.
                self._give_up(UpstreamFailed("the stream ended before content", upstream_status=200))
                return
            self._finish(events)
            return
        chunk = _decode(data)
        if chunk is None:
            self._malformed()
            return
        choice = next(iter(chunk.choices or ()), None)
        self._take_usage(chunk, choice)
        error = chunk.error if choice is None or choice.error in _NO_RAW else choice.error
        if error not in _NO_RAW or name == b"error":
            self._give_up(failed(error, "an error event"))
        elif choice is not None and choice.index == 0:
            self._take(choice, events)

    def _take_usage(self, chunk: _Chunk, choice: _Choice | None) -> None:
        reports = [chunk.usage, chunk.x_groq.usage if chunk.x_groq else NULL, choice.usage if choice else NULL]
        for report in reports:
            if report not in _NO_RAW:
                self.usage = later(self.usage, read_usage(report))

    def _take(self, choice: _Choice, events: list[Event]) -> None:
        said = choice.delta or choice.message
        if said is not None:
            thoughts, words = spoken(said)
            self._grow("reasoning", thoughts, events)
            self._grow("text", words, events)
            if said.refusal:
                self._refused = True
                self._grow("refusal", said.refusal, events)
            for called in said.tool_calls or ():
                self._take_call(called, events)
            if said.function_call is not None:
                self._take_call(CalledTool(index=0, function=said.function_call), events)
        if choice.finish_reason is not None:
            self._finish_reason = choice.finish_reason

    def _grow(self, kind: PartKind, text: str, events: list[Event]) -> None:
        if not text:
            return
        if self._open != kind:
            self._end_open(events)
            self._open = kind
            events.append(PartStarted(kind=kind))
        events.append(PartGrew(text))

    def _take_call(self, called: CalledTool, events: list[Event]) -> None:
        call = self._call_of(called)
        if call is None:
            self._give_up("too many tool calls")
            return
        function = called.function or CalledFunction()
        text = arguments_text(function.arguments)
        if called.custom is not None:
            call.custom = True
            function.name, text = called.custom.name, called.custom.input or ""
        call.name = call.name or function.name or ""
        if text:
            if call.ended:
                if text.strip():
                    self._give_up("a tool call that went on after its end")
                return
            call.arguments.append(text)
            call.waiting.append(text)
        self._advance(events)

    def _call_of(self, called: CalledTool) -> _OpenCall | None:
        """The call that a piece belongs to. Some upstreams number no calls, or all alike: a new id is a new call."""
        index = called.index if called.index is not None else max(0, len(self._calls) - 1)
        call = self._latest.get(index)
        if call is None or (called.id and call.name and called.id != call.id):
            if len(self._calls) >= _MAX_CALLS:
                return None
            call = _OpenCall(called.id or own_call_id(self._reply, len(self._calls)))
            self._latest[index] = call
            self._calls.append(call)
        return call

    def _advance(self, events: list[Event], *, to_the_end: bool = False) -> None:
        """Hand out what may be handed out: of the open call, and of the next ones as soon as that is whole."""
        waiting = [call for call in self._calls if not call.ended and call.name]
        waiting.sort(key=lambda call: not call.started)
        for position, call in enumerate(waiting):
            if not call.started:
                self._end_open(events)
                self._open = "tool_call"
                call.started = True
                events.append(PartStarted(kind="tool_call", call_id=call.id, name=call.name, custom=call.custom))
            events.extend(map(PartGrew, call.waiting))
            call.waiting.clear()
            is_last = position == len(waiting) - 1
            if to_the_end or (not is_last and call.whole):
                self._end_call(call, events)
            else:
                return

    def _end_call(self, call: _OpenCall, events: list[Event]) -> None:
        call.ended = True
        self._open = None
        events.append(PartEnded())

    def _end_open(self, events: list[Event]) -> None:
        """What is open ends, because something else begins or the answer is at its end."""
        if self._open == "tool_call":
            self._advance(events, to_the_end=True)
        elif self._open is not None:
            events.append(PartEnded())
        self._open = None

    def _finish(self, events: list[Event]) -> None:
        self._end_open(events)
        self.done = True
        called = any(call.started for call in self._calls)
        events.append(Finished(finish=finish_of(self._finish_reason, called=called, refused=self._refused)))


def _decode(data: bytes) -> _Chunk | None:
    try:
        if not data.isascii():
            data.decode()
        return _CHUNK.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
