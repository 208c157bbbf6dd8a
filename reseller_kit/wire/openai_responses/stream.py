"""Streamed answers to Responses requests: metered and rewritten to the storefront's names as the bytes pass.

Events travel as they are but for the ids of their items; those that hold the response object are rewritten. The last
one is held back until the charge is settled. Source: OpenAI API reference, "Streaming events" of Responses.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import KitError, UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..json_body import NULL, is_given, quote
from ..openai_envelope import describe_error
from ..openai_text import text_of
from ..responses_usage import read_usage
from ..sse import MAX_EVENT_BYTES, EventSplitter, parse_event
from ..text_log import TextLog
from .answer import join_items, own_item, own_items, response_of, string_of
from .envelope import Envelope, ItemIds
from .failure import error_event, failure_code, failure_message
from .items import text_of_items

_MAX_ITEMS: Final = 1024
_NUMBER: Final = re.compile(rb'"sequence_number"\s*:\s*-?\d+')
_STRING: Final = msgspec.json.Decoder(str)

_DELTAS: Final = frozenset(
    {
        "response.audio.transcript.delta",
        "response.custom_tool_call_input.delta",
        "response.function_call_arguments.delta",
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.refusal.delta",
        "response.shell_call_command.delta",
    }
)
"""Events with text that the model wrote."""

_PASSED: Final = frozenset(
    {
        "response.audio.done",
        "response.audio.transcript.done",
        "response.compaction.compacting",
        "response.content_part.added",
        "response.content_part.done",
        "response.custom_tool_call_input.done",
        "response.function_call_arguments.done",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.done",
        "response.refusal.done",
        "response.shell_call_command.added",
        "response.shell_call_command.done",
        "response.shell_call_output_content.done",
    }
)
_OPENING: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
_ITEM: Final = frozenset({"response.output_item.added", "response.output_item.done"})
_GOOD_ENDS: Final = {"response.completed": "completed", "response.incomplete": "incomplete"}
_BAD_ENDS: Final = frozenset({"response.failed", "response.cancelled", "error"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})


class _Event(Struct):
    type: str = ""
    sequence_number: int | None = None
    item_id: str | None = None
    delta: Raw = NULL
    item: Raw = NULL
    response: Raw = NULL
    error: Raw = NULL


_EVENT: Final = msgspec.json.Decoder(_Event)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])


class Tap:
    """One streamed response on its way to the caller. See `completion.Tap`.

    `output_items`: the finished items as the caller sees them, to be kept for a later request.
    """

    def __init__(self, call: Call, reply: Reply, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.usage: Usage | None = None
        self.started = False
        self.done = False
        self.error: UpstreamFailed | None = None
        self.output_items: list[Raw] = []
        self._envelope = Envelope(call, reply)
        self._ids = ItemIds(reply)
        self._replaced: dict[str, tuple[bytes, bytes]] = {}
        self._events = EventSplitter(max_event_bytes)
        self._log = TextLog()
        self._last_number = -1
        self._status = ""
        self._told: dict[str, Raw] = {}
        self._at_end = False

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now, whole events only."""
        if self._closed:
            return b""
        out = self._pass_all(self._events.feed(data))
        if self._events.overflow and not self.done:
            self._give_up("an event over the size limit")
        return out

    def end(self) -> bytes:
        """The upstream closed the stream: take an event that it left without its blank line."""
        self._at_end = True
        return b"" if self._closed else self._pass_all(self._events.close())

    def _pass_all(self, blocks: list[bytes]) -> bytes:
        out = []
        for block in blocks:
            out.append(self._pass_on(block))
            if self._closed:
                break
        return b"".join(out)

    @property
    def _closed(self) -> bool:
        return self.done or self.error is not None

    @property
    def whole(self) -> bool:
        """Whether the answer is complete: its terminal event came."""
        return self.done

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""
        return self._log.characters

    def estimate_text(self) -> str:
        """The text that came so far; that of finished items where an upstream sent no pieces of it."""
        return self._log.text() or text_of_items(self.output_items)

    def ping(self) -> bytes:
        """A comment, which every client of this dialect passes over."""
        return b": ping\n\n"

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, to be sent after settlement, showing the usage that is charged."""
        status = self._status or "completed"
        response = self._envelope.write(status, self._output(), upstream=self._told, usage=usage)
        return self._with_response(f"response.{status}", response)

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        fault = {"code": failure_code(error), "message": failure_message(error)}
        response = self._envelope.write("failed", self._output(), upstream=self._told, error=fault)
        event = error_event(error, self._next_number())
        return event + self._with_response("response.failed", response)

    def _output(self) -> bytes:
        return join_items(tuple(self.output_items))

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _with_response(self, kind: str, response: bytes) -> bytes:
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,"response":%b}\n\n' % (
            kind.encode(),
            kind.encode(),
            self._next_number(),
            response,
        )

    def _pass_on(self, block: bytes) -> bytes:
        name, data = parse_event(block)
        data = data.strip()
        if not data or data == b"[DONE]":
            return b""
        event = _decode(data)
        if event is None:
            return b"" if self._at_end else self._give_up("a malformed event")
        kind = event.type or name.decode("latin-1")
        if kind in _DELTAS or kind in _PASSED:
            self.started = True
            if event.delta != NULL:
                self._take_delta(event.delta)
            return self._sent(kind, event, data)
        return self._read(kind, event, data)

    def _read(self, kind: str, event: _Event, data: bytes) -> bytes:
        """An event that is more than a piece of an item; what is of no known kind does not travel."""
        if kind in _ITEM:
            return self._item(kind, event, data)
        if kind in _OPENING:
            return self._opening(kind, event)
        if kind in _GOOD_ENDS:
            return self._end(_GOOD_ENDS[kind], event)
        if kind in _BAD_ENDS or is_given(event.error):
            return self._failed(event, data)
        return b""

    def _take_delta(self, delta: Raw) -> None:
        try:
            self._log.add(_STRING.decode(delta))
        except (msgspec.MsgspecError, UnicodeError):
            self._log.add(text_of(delta))

    def _sent(self, kind: str, event: _Event, data: bytes) -> bytes:
        """The event with the id of its item and its number, which both are ours."""
        if event.item_id is not None:
            data = data.replace(*self._own_id(event.item_id))
        return self._numbered(kind, event, data)

    def _numbered(self, kind: str, event: _Event, data: bytes) -> bytes:
        number = event.sequence_number
        if number is not None and self._last_number < number < 1 << 53:
            self._last_number = number
        elif number is None:
            data = b'{"sequence_number":%d,%b' % (self._next_number(), data[1:].lstrip())
        else:
            data = _NUMBER.sub(b'"sequence_number":%d' % self._next_number(), data, count=1)
        if b"\n" in data:
            # Only between the tokens of JSON.
            data = data.replace(b"\n", b" ")
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _own_id(self, upstream_id: str, item_type: str = "") -> tuple[bytes, bytes]:
        replaced = self._replaced.get(upstream_id)
        if replaced is None:
            if len(self._replaced) >= _MAX_ITEMS:
                return b'"item_id":', b'"item_id":'
            replaced = quote(upstream_id), quote(self._ids.of(upstream_id, item_type))
            self._replaced[upstream_id] = replaced
        return replaced

    def _item(self, kind: str, event: _Event, data: bytes) -> bytes:
        try:
            item = _FIELDS.decode(event.item)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return self._give_up("an item that is none")
        item_type, upstream_id = string_of(item.get("type")), string_of(item.get("id"))
        if item_type in _CALLS:
            self.started = True
            if kind == "response.output_item.added":
                self._log.add(string_of(item.get("name")))
        if kind == "response.output_item.done":
            self.started = True
            if len(self.output_items) < _MAX_ITEMS:
                self.output_items.append(own_item(item, self._ids))
        if upstream_id:
            data = data.replace(*self._own_id(upstream_id, item_type))
        return self._numbered(kind, event, data)

    def _opening(self, kind: str, event: _Event) -> bytes:
        told = self._take_response(event)
        if told is None:
            return b""
        self._told = told
        if event.sequence_number is not None and event.sequence_number > self._last_number:
            self._last_number = event.sequence_number - 1
        status = "queued" if kind == "response.queued" else "in_progress"
        return self._with_response(kind, self._envelope.write(status, b"[]", upstream=told))

    def _take_response(self, event: _Event) -> dict[str, Raw] | None:
        try:
            told = response_of(event.response)
        except UpstreamFailed as error:
            self.error = error
            return None
        if is_given(told.get("usage")):
            self.usage = read_usage(told["usage"]) or self.usage
        return told

    def _end(self, status: str, event: _Event) -> bytes:
        told = self._take_response(event)
        if told is None:
            return b""
        try:
            items = own_items(told.get("output", NULL), self._ids)
        except UpstreamFailed as error:
            self.error = error
            return b""
        if items:
            self.output_items = list(items[:_MAX_ITEMS])
            self.started = True
        self._told, self._status, self.done = told, status, True
        return b""

    def _failed(self, event: _Event, data: bytes) -> bytes:
        reason = describe_error(event.error)
        if is_given(event.response):
            told = self._take_response(event)
            reason = describe_error((told or {}).get("error", NULL)) or reason
        return self._give_up(reason or describe_error(Raw(data)) or "a failed response")

    def _give_up(self, reason: str) -> bytes:
        self.error = self.error or UpstreamFailed(reason, upstream_status=200)
        return b""


def _decode(data: bytes) -> _Event | None:
    try:
        if not data.isascii():
            data.decode()
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
