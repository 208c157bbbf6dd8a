"""Streamed answers to Responses requests: metered and rewritten to the storefront's names as the bytes pass.

Events travel as they are but for the ids of their items; those that hold the response object are rewritten. The last
one is held back until the charge is settled. Source: OpenAI API reference, "Streaming events" of Responses.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw

from ...core.errors import KitError, UpstreamFailed
from ...core.usage import Usage, later
from ..codec import Call, Reply
from ..json_body import NULL, is_given, quote
from ..sse import MAX_EVENT_BYTES, EventSplitter, parse_event
from ..text_log import TextLog
from ..texts import text_of
from ..upstream_message import failed
from .answer import join_items, own_item, own_items, response_of, string_of
from .envelope import Envelope, ItemIds
from .events import BAD_ENDS, CALLS, GOOD_ENDS, ITEM_EVENTS, OPENING, PASSED, Event, Piece
from .failure import error_event, failure_code, failure_message
from .form import NO_FORM, form_of, match
from .items import ANNOTATION, PART, TOKENS, text_of_items
from .usage import read_usage

_MAX_ITEMS: Final = 1024
_MAX_NUMBER: Final = 1 << 53
_NUMBER: Final = re.compile(rb'"sequence_number"\s*:\s*-?\d+')
_STRING: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()

_PIECE: Final = msgspec.json.Decoder(Piece)
_EVENT: Final = msgspec.json.Decoder(Event)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_WITHIN: Final = {"part": PART, "annotation": ANNOTATION, "logprobs": TOKENS}
_PIECE_MEMBERS: Final = frozenset(Piece.__struct_fields__)
_NO_JSON: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)


class Tap:
    """One streamed response on its way to the caller. See `completion.Tap`.

    `output_items`: the finished items as the caller sees them, and `response`: the whole object once `finish` has
    written it; both to be kept for a later request.
    """

    def __init__(self, call: Call, reply: Reply, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.usage: Usage | None = None
        self.opening: Usage | None = None
        self.started = False
        self.done = False
        self.error: UpstreamFailed | None = None
        self.output_items: list[Raw] = []
        self.response = b""
        self._envelope = Envelope(call, reply)
        self._model = reply.model
        self._ids = ItemIds(reply)
        self._replaced: dict[str, tuple[bytes, bytes]] = {}
        self._events = EventSplitter(max_event_bytes)
        self._log = TextLog()
        self._last_number = -1
        self._form = NO_FORM
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

    def open(self) -> bytes:
        """Nothing: the upstream's own opening passes."""
        return b""

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
        self.response = self._envelope.write(status, self._output(), upstream=self._told, usage=usage)
        return self._with_response(f"response.{status}", self.response)

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
        found = match(self._form, block)
        if found is not None and self._last_number < found.number:
            self._last_number = found.number
            self._log.add(found.text)
            return found.sent
        name, data = parse_event(block)
        try:
            if not data.isascii():
                data.decode()
            piece = _PIECE.decode(data)
        except _NO_JSON:
            return self._read(name, data.strip())
        if piece.type not in PASSED or not _says_what_is_known(piece):
            return self._read(name, data.strip())
        out = self._piece(piece, data)
        if piece.delta is not NULL and piece.item_id is not None:
            self._form = form_of(block, piece, *self._own_id(piece.item_id))
        return out

    def _piece(self, piece: Piece, data: bytes) -> bytes:
        """A piece of an item, with the id of its item and its number, which both are ours."""
        self.started = True
        if piece.delta is not NULL:
            try:
                self._log.add(_STRING.decode(piece.delta))
            except _NO_JSON:
                self._log.add(text_of(piece.delta))
        if piece.item_id is not None:
            data = data.replace(*(self._replaced.get(piece.item_id) or self._own_id(piece.item_id)))
        return self._numbered(piece.type, piece.sequence_number, data)

    def _numbered(self, kind: str, number: int | None, data: bytes) -> bytes:
        if number is not None and self._last_number < number < _MAX_NUMBER:
            self._last_number = number
        elif number is None:
            data = b'{"sequence_number":%d,%b' % (self._next_number(), data.strip()[1:].lstrip())
        else:
            data = _NUMBER.sub(b'"sequence_number":%d' % self._next_number(), data, count=1)
        if b"\n" in data:
            # Only between the tokens of JSON.
            data = data.replace(b"\n", b" ")
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _read(self, name: bytes, data: bytes) -> bytes:
        """An event that is more than a piece of an item; what is of no known kind does not travel."""
        if not data or data == b"[DONE]":
            return b""
        event = _decode(data)
        if event is None:
            return b"" if self._at_end else self._give_up("a malformed event")
        kind = event.type or name.decode("latin-1")
        if kind in GOOD_ENDS:
            return self._end(GOOD_ENDS[kind], event)
        if kind in BAD_ENDS or is_given(event.error):
            return self._failed(event, data)
        return self._opened(kind, event, data)

    def _opened(self, kind: str, event: Event, data: bytes) -> bytes:
        if kind in ITEM_EVENTS:
            return self._item(kind, event)
        if kind in OPENING:
            return self._opening(kind, event)
        return self._with_known_members(kind, data) if kind in PASSED else b""

    def _with_known_members(self, kind: str, data: bytes) -> bytes:
        """A piece of an item that says more than its kind is known to."""
        members = {name: value for name, value in _FIELDS.decode(data).items() if name in _PIECE_MEMBERS}
        own = {name: known.only(members[name]) for name, known in _WITHIN.items() if name in members}
        kept = _ENCODER.encode({**members, **own, "type": kind})
        try:
            return self._piece(_PIECE.decode(kept), kept)
        except _NO_JSON:
            return self._give_up("a malformed event")

    def _own_id(self, upstream_id: str, item_type: str = "") -> tuple[bytes, bytes]:
        replaced = self._replaced.get(upstream_id)
        if replaced is None:
            if len(self._replaced) >= _MAX_ITEMS:
                return b'"item_id":', b'"item_id":'
            replaced = quote(upstream_id), quote(self._ids.of(upstream_id, item_type))
            self._replaced[upstream_id] = replaced
        return replaced

    def _item(self, kind: str, event: Event) -> bytes:
        try:
            item = _FIELDS.decode(event.item)
        except _NO_JSON:
            return self._give_up("an item that is none")
        if string_of(item.get("type")) in CALLS:
            self.started = True
            if kind == "response.output_item.added":
                self._log.add(string_of(item.get("name")))
        own = own_item(item, self._ids)
        if kind == "response.output_item.done":
            self.started = True
            if len(self.output_items) < _MAX_ITEMS:
                self.output_items.append(own)
        members = b'{"type":"%b","output_index":%d,"item":%b}' % (kind.encode(), event.output_index, bytes(own))
        number = event.sequence_number
        if number is not None:
            members = b'{"sequence_number":%d,%b' % (number, members[1:])
        return self._numbered(kind, number, members)

    def _opening(self, kind: str, event: Event) -> bytes:
        told = self._take_response(event)
        if told is None:
            return b""
        self._told = told
        if event.sequence_number is not None and event.sequence_number > self._last_number:
            self._last_number = event.sequence_number - 1
        status = "queued" if kind == "response.queued" else "in_progress"
        return self._with_response(kind, self._envelope.write(status, b"[]", upstream=told))

    def _take_response(self, event: Event) -> dict[str, Raw] | None:
        try:
            told = response_of(event.response)
        except UpstreamFailed as error:
            self.error = error
            return None
        if is_given(told.get("usage")):
            self.usage = later(self.usage, read_usage(told["usage"]))
        return told

    def _end(self, status: str, event: Event) -> bytes:
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

    def _failed(self, event: Event, data: bytes) -> bytes:
        error = event.error
        if is_given(event.response):
            error = (self._take_response(event) or {}).get("error", NULL)
        found = failed(error if is_given(error) else Raw(data), "a failed response")
        self.error = self.error or found
        return b""

    def _give_up(self, reason: str) -> bytes:
        self.error = self.error or UpstreamFailed(reason, upstream_status=200)
        return b""


def _says_what_is_known(piece: Piece) -> bool:
    """Whether nothing within its members is to be taken out."""
    return all(
        value is NULL or known.only(value) is value
        for name, known in _WITHIN.items()
        for value in (getattr(piece, name),)
    )


def _decode(data: bytes) -> Event | None:
    try:
        if not data.isascii():
            data.decode()
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
