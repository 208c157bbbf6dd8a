"""Writes events of the intermediate form as a chat caller's stream."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec

from ...core.errors import KitError
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Event, Finished, PartEnded, PartGrew, PartStarted
from ..custom_tools import unwrap
from ..errors import stream_error
from ..json_body import quote
from .completion import call_detail, finish_reason, reasoning_detail, response_id
from .names import CallerTools, is_legacy
from .usage import usage_body

_ENCODER: Final = msgspec.json.Encoder()
_MEMBERS: Final = {"text": b"content", "refusal": b"refusal", "reasoning": b"reasoning_content"}
_PING: Final = b": \n\n"


class EventWriter:
    """One chat stream for the caller. See `completion.EventWriter`."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self._tools = CallerTools(call)
        self._legacy = is_legacy(call)
        self._include_usage = call.include_usage
        self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":[' % (
            response_id(reply),
            time.time(),
            quote(reply.model),
        )
        self._tail = b',"logprobs":null,"finish_reason":null}]%b}\n\n' % self._null_usage
        self._opened = False
        self._part: PartStarted | None = None
        self._calls = 0
        self._buffer: list[str] | None = None
        self._text: list[str] = []
        self._refused = False
        self._finish: Finished | None = None

    @property
    def _null_usage(self) -> bytes:
        return b',"usage":null' if self._include_usage else b""

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
        return _PING

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, showing the usage that is charged to those who asked for it."""
        finish = self._finish.finish if self._finish else "stop"
        reason = finish_reason(finish, called=self._calls > 0, refused=self._refused, legacy=self._legacy)
        end = b'%b{"index":0,"delta":{},"logprobs":null,"finish_reason":%b}]%b}\n\n' % (
            self._head,
            quote(reason),
            self._null_usage,
        )
        shown = b'%b],"usage":%b}\n\n' % (self._head, usage_body(usage)) if self._include_usage else b""
        return b"%b%b%bdata: [DONE]\n\n" % (self.open(), end, shown)

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong."""
        return stream_error(error, "openai")

    def open(self) -> bytes:
        """The opening events, which say only that an answer begins."""
        if self._opened:
            return b""
        self._opened = True
        return self._delta(b'{"role":"assistant","content":"","refusal":null}')

    def _delta(self, delta: bytes) -> bytes:
        return b'%b{"index":0,"delta":%b%b' % (self._head, delta, self._tail)

    def _start(self, part: PartStarted) -> bytes:
        self._part = part
        self._text = []
        if part.kind == "refusal":
            self._refused = True
        if part.kind != "tool_call":
            return b""
        self._calls += 1
        name = self._tools.original(part.name)
        if self._tools.is_custom(name):
            self._buffer = None if part.custom else []
            return self._call({"id": part.call_id, "type": "custom", "custom": {"name": name, "input": ""}})
        if self._legacy:
            return self._delta(_ENCODER.encode({"function_call": {"name": name, "arguments": ""}}))
        return self._call({"id": part.call_id, "type": "function", "function": {"name": name, "arguments": ""}})

    def _grow(self, text: str) -> bytes:
        part = self._part
        if part is None:
            return b""
        member = _MEMBERS.get(part.kind)
        if member is not None:
            if part.kind == "reasoning":
                self._text.append(text)
            return b'%b{"index":0,"delta":{"%b":%b}%b' % (self._head, member, quote(text), self._tail)
        if self._buffer is not None:
            self._buffer.append(text)
            return b""
        return self._argument(part, text)

    def _argument(self, part: PartStarted, text: str) -> bytes:
        if self._tools.is_custom(self._tools.original(part.name)):
            return self._call({"custom": {"input": text}})
        if self._legacy:
            return self._delta(_ENCODER.encode({"function_call": {"arguments": text}}))
        return self._delta(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (self._calls - 1, quote(text))
        )

    def _call(self, members: dict[str, Any]) -> bytes:
        return self._delta(_ENCODER.encode({"tool_calls": [{"index": self._calls - 1, **members}]}))

    def _end(self, ended: PartEnded) -> bytes:
        part, self._part = self._part, None
        if part is None:
            return b""
        out = b""
        if self._buffer is not None:
            out = self._call({"custom": {"input": unwrap("".join(self._buffer))}})
            self._buffer = None
        if ended.signature and ended.maker:
            if part.kind == "tool_call":
                detail = call_detail(part.call_id, ended.signature, ended.maker)
            else:
                text = "".join(self._text)
                detail = reasoning_detail(text, ended.signature, ended.maker, redacted=ended.redacted)
            out += self._delta(_ENCODER.encode({"reasoning_details": [detail]}))
        return out
