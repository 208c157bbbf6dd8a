"""Writes events of the intermediate form as a stream of Responses, with every event that its clients wait for."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.errors import KitError
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartStarted
from ..conversation import Reasoning, ToolCall
from ..custom_tools import unwrap
from ..json_body import quote
from .completion import ItemWriter, content_piece, message_item, reasoning_item, status_of
from .envelope import Envelope
from .failure import error_event, failure_code, failure_message

_ENCODER: Final = msgspec.json.Encoder()


class EventWriter:
    """One stream of Responses for the caller. See `completion.EventWriter`.

    `output_items`: the finished items as the caller sees them, and `response`: the whole object once `finish` has
    written it; both to be kept for a later request.
    """

    def __init__(self, call: Call, reply: Reply) -> None:
        self.output_items: list[msgspec.Raw] = []
        self.response = b""
        self._envelope = Envelope(call, reply)
        self._items = ItemWriter(call, reply)
        self._number = 0
        self._opened = False
        self._part: PartStarted | None = None
        self._custom = False
        self._item_id = ""
        self._text: list[str] = []
        self._delta = (b"", b"")
        self._refused = False
        self._finish: Finished | None = None

    def write(self, event: Event) -> bytes:
        """The bytes for one event; those of `Finished` are held back for `finish`."""
        if isinstance(event, PartGrew):
            return self._grow(event.text)
        if isinstance(event, Finished):
            self._finish = event
            return b""
        return self.open() + (self._start(event) if isinstance(event, PartStarted) else self._end(event))

    def ping(self) -> bytes:
        """A comment, which clients of this dialect pass over."""
        return b": ping\n\n"

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, showing the usage that is charged."""
        finish = self._finish.finish if self._finish else "stop"
        status, incomplete = status_of(finish, refused=self._refused)
        opening = self.open()
        self.response = self._envelope.write(status, self._output(), usage=usage, incomplete=incomplete)
        return opening + self._with_response(f"response.{status}", self.response)

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        fault = {"code": failure_code(error), "message": failure_message(error)}
        response = self._envelope.write("failed", self._output(), error=fault)
        event = error_event(error, self._next_number())
        return event + self._with_response("response.failed", response)

    def _output(self) -> bytes:
        return b"[%b]" % b",".join(map(bytes, self.output_items))

    def _next_number(self) -> int:
        self._number += 1
        return self._number - 1

    def open(self) -> bytes:
        """The opening events, which say only that an answer begins."""
        if self._opened:
            return b""
        self._opened = True
        response = self._envelope.write("in_progress", b"[]")
        return self._with_response("response.created", response) + self._with_response("response.in_progress", response)

    def _with_response(self, kind: str, response: bytes) -> bytes:
        return self._event(kind, b'"response":%b' % response)

    def _event(self, kind: str, members: bytes) -> bytes:
        name = kind.encode()
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (
            name,
            name,
            self._next_number(),
            members,
        )

    def _in_item(self, kind: str, **members: Any) -> bytes:
        placed = {"item_id": self._item_id, "output_index": len(self.output_items), **members}
        return self._event(kind, _ENCODER.encode(placed)[1:-1])

    def _with_item(self, kind: str, item: dict[str, Any]) -> bytes:
        return self._event(kind, _ENCODER.encode({"output_index": len(self.output_items), "item": item})[1:-1])

    def _start(self, part: PartStarted) -> bytes:
        self._part, self._text = part, []
        if part.kind == "tool_call":
            return self._start_call(part)
        if part.kind == "reasoning":
            return self._start_reasoning()
        self._item_id = self._items.ids.new("message")
        self._refused |= part.kind == "refusal"
        self._set_delta("response.refusal.delta" if part.kind == "refusal" else "response.output_text.delta")
        item = message_item(self._item_id, "", refusal=False, status="in_progress")
        piece = content_piece("", refusal=part.kind == "refusal")
        return self._with_item("response.output_item.added", item) + self._in_item(
            "response.content_part.added", content_index=0, part=piece
        )

    def _start_reasoning(self) -> bytes:
        """The item alone: a thought without words has no summary."""
        self._item_id = self._items.ids.new("reasoning")
        self._set_delta("response.reasoning_summary_text.delta")
        return self._with_item("response.output_item.added", reasoning_item(self._item_id, Reasoning(text="")))

    def _start_call(self, part: PartStarted) -> bytes:
        known = self._items.tools.original(part.name)
        self._custom = known.custom or part.custom
        kind = "custom_tool_call" if self._custom else "function_call"
        self._item_id = self._items.ids.new(kind)
        self._set_delta(f"response.{kind}_{'input' if self._custom else 'arguments'}.delta")
        call = ToolCall(id=part.call_id, name=part.name, arguments="", custom=self._custom)
        item = self._items.call_item(call, self._item_id, "in_progress")
        return self._with_item("response.output_item.added", item)

    def _set_delta(self, kind: str) -> None:
        """All that is the same in the deltas of the part that begins."""
        place = b',"item_id":%b,"output_index":%d,' % (quote(self._item_id), len(self.output_items))
        if "summary" in kind:
            place += b'"summary_index":0,'
        elif kind in ("response.output_text.delta", "response.refusal.delta"):
            place += b'"content_index":0,'
        if kind == "response.output_text.delta":
            place += b'"logprobs":[],'
        name = kind.encode()
        self._delta = (b'event: %b\ndata: {"type":"%b","sequence_number":' % (name, name), place + b'"delta":')

    def _grow(self, text: str) -> bytes:
        part = self._part
        if part is None:
            return b""
        first = not self._text
        self._text.append(text)
        if self._custom and not part.custom and part.kind == "tool_call":
            # Arguments around a free text, which is told once they are whole.
            return b""
        before = b""
        if first and part.kind == "reasoning":
            piece = {"type": "summary_text", "text": ""}
            before = self._in_item("response.reasoning_summary_part.added", summary_index=0, part=piece)
        return before + self._told(text)

    def _told(self, text: str) -> bytes:
        head, place = self._delta
        return b"%b%d%b%b}\n\n" % (head, self._next_number(), place, quote(text))

    def _end(self, ended: PartEnded) -> bytes:
        part, self._part = self._part, None
        if part is None:
            return b""
        text = "".join(self._text)
        if part.kind == "tool_call":
            return self._end_call(part, text)
        if part.kind == "reasoning":
            return self._end_reasoning(text, ended)
        refusal = part.kind == "refusal"
        named = {"refusal": text} if refusal else {"text": text, "logprobs": []}
        out = self._in_item(f"response.{'refusal' if refusal else 'output_text'}.done", content_index=0, **named)
        out += self._in_item("response.content_part.done", content_index=0, part=content_piece(text, refusal=refusal))
        return out + self._item_done(message_item(self._item_id, text, refusal=refusal))

    def _end_reasoning(self, text: str, ended: PartEnded) -> bytes:
        out = b""
        if text:
            out = self._in_item("response.reasoning_summary_text.done", summary_index=0, text=text)
            piece = {"type": "summary_text", "text": text}
            out += self._in_item("response.reasoning_summary_part.done", summary_index=0, part=piece)
        thought = Reasoning(text=text, signature=ended.signature, maker=ended.maker, redacted=ended.redacted)
        return out + self._item_done(reasoning_item(self._item_id, thought))

    def _end_call(self, part: PartStarted, text: str) -> bytes:
        out = b""
        if self._custom:
            if not part.custom:
                text = unwrap(text)
                out = self._told(text)
            out += self._in_item("response.custom_tool_call_input.done", input=text)
        else:
            text = text or "{}"
            out = self._in_item("response.function_call_arguments.done", arguments=text)
        call = ToolCall(id=part.call_id, name=part.name, arguments=text, custom=self._custom)
        return out + self._item_done(self._items.call_item(call, self._item_id))

    def _item_done(self, item: dict[str, Any]) -> bytes:
        out = self._with_item("response.output_item.done", item)
        self.output_items.append(msgspec.Raw(_ENCODER.encode(item)))
        return out
