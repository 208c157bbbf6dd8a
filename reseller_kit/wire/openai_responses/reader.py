"""Reads a Responses upstream's stream as events of the intermediate form. Shows nothing of the upstream.

Items may come interleaved; here one part is open at a time. What belongs to another item waits until the open one is
done.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import later
from ..codec import Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartKind, PartStarted
from ..conversation import Text, ToolCall
from ..json_body import NULL, is_given
from ..reading import StreamReader
from ..sse import MAX_EVENT_BYTES, parse_event
from ..upstream_message import failed
from .answer import response_of
from .completion import finish_of
from .items import OutputItem, item_of, parts_of
from .usage import read_usage

_MAX_WAITING: Final = 100_000
_DELTAS: Final[dict[str, PartKind]] = {
    "response.custom_tool_call_input.delta": "tool_call",
    "response.function_call_arguments.delta": "tool_call",
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.refusal.delta": "refusal",
}
_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_SUMMARY_ADDED: Final = "response.reasoning_summary_part.added"
_OF_ITEMS: Final = {*_DELTAS, _ADDED, _DONE, _SUMMARY_ADDED}
_GOOD_ENDS: Final = {"response.completed": "completed", "response.incomplete": "incomplete"}
_BAD_ENDS: Final = frozenset({"response.failed", "response.cancelled", "error"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})


class _Event(Struct):
    type: str = ""
    output_index: int = 0
    delta: str | None = None
    item: Raw = NULL
    response: Raw = NULL
    error: Raw = NULL


_EVENT: Final = msgspec.json.Decoder(_Event)


class EventReader(StreamReader):
    """One stream of Responses. See `completion.EventReader`."""

    def __init__(self, reply: Reply, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._maker, self._model = reply.maker, reply.model
        self._current: int | None = None
        self._open: PartKind | None = None
        self._empty = True
        self._gap = False
        self._waiting: list[_Event] = []
        self._items_ended: set[int] = set()
        self._called = self._refused = False

    def _read(self, block: bytes, events: list[Event]) -> None:
        name, data = parse_event(block)
        data = data.strip()
        if not data or data == b"[DONE]":
            return
        event = _decode(data)
        if event is None:
            self._malformed()
            return
        kind = event.type = event.type or name.decode("latin-1")
        if kind in _OF_ITEMS:
            self._of_item(event, events)
        elif kind in _GOOD_ENDS:
            self._finish(_GOOD_ENDS[kind], event, events)
        elif kind in _BAD_ENDS or is_given(event.error):
            self._fail(event, data)

    def _of_item(self, event: _Event, events: list[Event]) -> None:
        if self._current is None or self._current == event.output_index:
            self._take(event, events)
            while self._current is None and self._waiting and self.error is None:
                waiting, self._waiting = self._waiting, []
                for late in waiting:
                    self._of_item(late, events)
        elif len(self._waiting) < _MAX_WAITING:
            self._waiting.append(event)
        else:
            self._give_up("items that never end")

    def _take(self, event: _Event, events: list[Event]) -> None:
        if event.type == _ADDED:
            # Some upstreams number all items alike.
            self._items_ended.discard(event.output_index)
        elif event.output_index in self._items_ended:
            return
        self._current = event.output_index
        if event.type == _ADDED:
            self._added(event, events)
        elif event.type == _DONE:
            self._item_done(event, events)
        elif event.type == _SUMMARY_ADDED:
            self._gap = not self._empty
        elif event.delta:
            self._grow(_DELTAS[event.type], event.delta, events)

    def _added(self, event: _Event, events: list[Event]) -> None:
        self._empty, self._gap = True, False
        item = item_of(event.item)
        if item is not None and item.type in _CALLS and item.name:
            self._start_call(item, events)

    def _start_call(self, item: OutputItem, events: list[Event]) -> None:
        self._end_part(events)
        self._open = "tool_call"
        self._called = True
        call_id, custom = item.call_id or item.id or "", item.type == "custom_tool_call"
        events.append(PartStarted(kind="tool_call", call_id=call_id, name=item.name, custom=custom))

    def _grow(self, kind: PartKind, text: str, events: list[Event]) -> None:
        if not text:
            return
        if self._open != kind:
            if kind == "tool_call":
                # Of a call without a name; its item will tell all of it.
                return
            self._end_part(events)
            self._start(kind, events)
        if self._gap:
            events.append(PartGrew("\n\n"))
            self._gap = False
        self._empty = False
        events.append(PartGrew(text))

    def _start(self, kind: PartKind, events: list[Event]) -> None:
        self._open = kind
        if kind == "refusal":
            self._refused = True
        events.append(PartStarted(kind=kind))

    def _item_done(self, event: _Event, events: list[Event]) -> None:
        """The item is whole: what no piece has told of it is told now."""
        item = item_of(event.item)
        signature = None if item is None else item.encrypted_content
        if item is not None and self._empty:
            self._tell(item, events)
        if signature and self._open is None:
            self._start("reasoning", events)
        if self._open is not None:
            maker = self._maker if signature else None
            events.append(PartEnded(signature=signature, maker=maker, redacted=bool(signature) and self._empty))
            self._open = None
        self._items_ended.add(event.output_index)
        self._current = None
        self._empty, self._gap = True, False

    def _tell(self, item: OutputItem, events: list[Event]) -> None:
        for part in parts_of(item, self._maker):
            if isinstance(part, ToolCall):
                if self._open != "tool_call":
                    self._start_call(item, events)
                self._grow("tool_call", part.arguments, events)
            elif isinstance(part, Text):
                self._grow("refusal" if part.refusal else "text", part.text, events)
            else:
                self._grow("reasoning", part.text, events)

    def _end_part(self, events: list[Event]) -> None:
        if self._open is not None:
            events.append(PartEnded())
            self._open = None

    def _finish(self, status: str, event: _Event, events: list[Event]) -> None:
        try:
            told = self._told(event)
        except UpstreamFailed as error:
            self.error = error
            return
        self._end_part(events)
        self._current = None
        waiting, self._waiting = self._waiting, []
        for late in waiting:
            self._take(late, events)
        self._end_part(events)
        if self.error is None:
            self.done = True
            finish = finish_of(status, told, called=self._called, refused=self._refused)
            events.append(Finished(finish=finish))

    def _told(self, event: _Event) -> dict[str, Raw]:
        told = response_of(event.response)
        if is_given(told.get("usage")):
            self.usage = later(self.usage, read_usage(told["usage"]))
        return told

    def _fail(self, event: _Event, data: bytes) -> None:
        error = event.error
        if is_given(event.response):
            with suppress(UpstreamFailed):
                error = self._told(event).get("error", NULL)
        self.error = failed(error if is_given(error) else Raw(data), "a failed response")


def _decode(data: bytes) -> _Event | None:
    try:
        if not data.isascii():
            data.decode()
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
