"""Streamed answers to chat requests: metered and rewritten to the storefront's names as the bytes pass.

The end of the stream (usage and `[DONE]`) is held back until the charge is settled. Nothing of an upstream but what is
listed here reaches the caller, and no event of the common form is decoded whole: its text sits between bytes that were
seen before, so only the text is looked at. Source: OpenAI API reference, "The chat completion chunk object".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import KitError, UpstreamFailed
from ...core.usage import Usage, later
from ..errors import stream_error
from ..json_body import NULL, quote, string_member
from ..sse import MAX_EVENT_BYTES, EventSplitter, parse_event
from ..text_log import TextLog
from ..texts import string_or_empty, text_of
from ..upstream_message import failed
from .envelope import created_or_now, own_choices, tier_member
from .template import NO_TEMPLATE, Template, match_template, run_of, template_of
from .text import output_of
from .usage import read_usage, usage_body

_DONE: Final = b"[DONE]"
_PAD: Final = b',"obfuscation":'
_MAX_FINISH_REASONS: Final = 16
_MAX_TEMPLATES: Final = 6
_RUNS_TRIED: Final = 4
"""In one `feed`: forms that take turns would otherwise have every run looked for in vain."""


class _Choice(Struct):
    delta: dict[str, Raw] | None = None
    message: dict[str, Raw] | None = None
    finish_reason: str | None = None
    usage: Raw = NULL
    error: Raw = NULL


class _GroqMember(Struct):
    usage: Raw = NULL


class _Chunk(Struct):
    created: Raw = NULL
    choices: Raw = NULL
    usage: Raw = NULL
    service_tier: Raw = NULL
    obfuscation: Raw = NULL
    x_groq: _GroqMember | None = None
    error: Raw = NULL


class _ToolCall(Struct):
    function: dict[str, Raw]


_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_CHOICES: Final = msgspec.json.Decoder(list[_Choice] | None)
_TOOL_CALLS: Final = msgspec.json.Decoder(list[_ToolCall])


class StreamTap:
    """One streamed answer on its way to the caller. Raises nothing: what goes wrong is in `error`.

    `usage`: what the upstream reported last. `started`: whether content, reasoning, a tool call, a refusal or audio
    came. `done`: `[DONE]` came. `finish_reasons`: those seen; `finished`: how many choices they ended. `error`: an
    error event, a malformed or oversized one; after it, and after `done`, nothing more passes.
    """

    def __init__(
        self,
        *,
        model: str,
        response_id: str,
        include_usage: bool,
        choices: int = 1,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.usage: Usage | None = None
        self.opening: Usage | None = None
        self.started = False
        self.done = False
        self.finish_reasons: set[str] = set()
        self.finished = 0
        self.error: UpstreamFailed | None = None
        self._model = quote(model)
        self._response_id = quote(response_id)
        self._include_usage = include_usage
        self._choices = choices
        self._null_usage = b',"usage":null' if include_usage else b""
        self._opening = b""
        self._events = EventSplitter(max_event_bytes)
        self._log = TextLog()
        self._hot = NO_TEMPLATE
        self._templates: list[Template] = []
        self._max_event_bytes = max_event_bytes
        self._closed = False
        self._at_end = False

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now, whole events only."""
        if self._closed:
            return b""
        hot, events = self._hot, self._events
        if data.endswith(hot.end) and data.startswith(hot.head) and not events.held and not events.after_cr:
            # One event of the form seen last, most likely: no need to look for its ends.
            raw = data[hot.head_bytes : -hot.end_bytes]
            if b"\n" not in raw and len(data) <= self._max_event_bytes:
                text = string_or_empty(raw)
                if text:
                    self._log.add(text)
                    return hot.sent_head + raw + hot.sent_end
        out = self._feed_blocks(events.feed(data))
        if events.overflow and not self.done and self.error is None:
            self._give_up(UpstreamFailed("an event over the size limit", upstream_status=200))
        return out

    def _feed_blocks(self, blocks: list[bytes]) -> bytes:
        out: list[bytes] = []
        at = 0
        tries_left = _RUNS_TRIED
        while at < len(blocks) and not self._closed:
            if tries_left and blocks[at].startswith(self._hot.head):
                tries_left -= 1
                run = run_of(self._hot, blocks, at)
                if run is not None:
                    self._log.add("".join(run.texts))
                    out.append(run.sent)
                    at += len(run.texts)
                    continue
            out.append(self._pass_on(blocks[at]))
            at += 1
        return b"".join(out)

    def open(self) -> bytes:
        """Nothing: the upstream's own opening passes."""
        return b""

    def end(self) -> bytes:
        """The upstream closed the stream: take an event that it left without its blank line.

        Half an event is no error here; whether the answer is whole, `done` and `finished` tell.
        """
        self._at_end = True
        return b"".join([self._pass_on(block) for block in self._events.close() if not self._closed])

    @property
    def whole(self) -> bool:
        """Whether the answer is complete: its terminal event came, or the end of every choice."""
        return self.error is None and (self.done or self.finished >= self._choices)

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""
        return self._log.characters

    def estimate_text(self) -> str:
        """The text that came so far: content, reasoning, tool names and arguments."""
        return self._log.text()

    def ping(self) -> bytes:
        """A comment, which every client of this dialect passes over."""
        return b": ping\n\n"

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, to be sent after settlement: the charged usage if the caller wants it, `[DONE]`."""
        self._closed = True
        if not self._include_usage:
            return b"data: [DONE]\n\n"
        return b'%b,"choices":[],"usage":%b}\n\ndata: [DONE]\n\n' % (self._open(NULL), usage_body(usage))

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        self._closed = True
        return stream_error(error, "openai")

    def _open(self, created: Raw) -> bytes:
        """The first bytes of every event sent; `created` is the first event's throughout."""
        if not self._opening:
            self._opening = b'data: {"id":%b,"object":"chat.completion.chunk","created":%b,"model":%b' % (
                self._response_id,
                created_or_now(created),
                self._model,
            )
        return self._opening

    def _pass_on(self, block: bytes) -> bytes:
        for template in self._templates:
            match = match_template(template, block)
            if match is not None:
                self._log.add(match[0])
                if not template.middle:
                    self._hot = template
                return match[1]
        return self._read_event(block)

    def _read_event(self, block: bytes) -> bytes:
        """An event that fits no template, decoded."""
        name, data = parse_event(block)
        data = data.strip()
        if not data:
            return b""
        if data == _DONE:
            if not (self.started or self.finished or self.usage):
                # Neither a word nor a reason for there being none: that is no answer.
                return self._give_up(UpstreamFailed("the stream ended before content", upstream_status=200))
            self.done = self._closed = True
            return b""
        decoded = _decode(data)
        if decoded is None:
            return b"" if self._at_end else self._give_up(UpstreamFailed("a malformed event", upstream_status=200))
        chunk, choices = decoded
        reported = self._take_usage(chunk, choices)
        error = _error_in(chunk, choices)
        if error != NULL or name == b"error":
            return self._give_up(failed(error, "an error event"))
        opening = self._open(chunk.created)
        if not choices:
            return b""
        pad = string_member(_PAD, chunk.obfuscation)
        sent = b'%b%b,"choices":%b%b%b}\n\n' % (
            opening,
            tier_member(chunk.service_tier),
            bytes(own_choices(chunk.choices)),
            self._null_usage,
            pad,
        )
        text = self._take_output(choices)
        if text is not None and not reported and b"\n" not in block:
            self._learn(block, sent, bytes(text), pad[len(_PAD) :])
        return sent

    def _take_usage(self, chunk: _Chunk, choices: list[_Choice]) -> bool:
        """Note the usage in a chunk, wherever it stands; whether there was any mention of it."""
        reports = [choice.usage for choice in choices if choice.usage != NULL]
        if chunk.x_groq is not None:
            reports.append(chunk.x_groq.usage)
        if chunk.usage != NULL:
            reports.append(chunk.usage)
        for report in reports:
            self.usage = later(self.usage, read_usage(report))
        return bool(reports)

    def _take_output(self, choices: list[_Choice]) -> Raw | None:
        """Note what the model wrote; returns the text if it is all that tells this event from others of its form."""
        outputs: list[Raw] = []
        finished = False
        for choice in choices:
            outputs += output_of(choice.delta or choice.message or {})
            if choice.finish_reason is not None:
                finished = True
                self.finished += 1
                if len(self.finish_reasons) < _MAX_FINISH_REASONS:
                    self.finish_reasons.add(choice.finish_reason)
        if not outputs:
            return None
        self.started = True
        text = "".join(map(text_of, outputs))
        self._log.add(text)
        if finished or len(choices) != 1 or len(outputs) != 1 or not text:
            return None
        return outputs[0] if bytes(outputs[0]).startswith(b'"') else _only_argument(outputs[0], text)

    def _learn(self, block: bytes, sent: bytes, text: bytes, pad: bytes) -> None:
        template = template_of(block, sent, text, pad)
        if template is not None:
            self._templates = [template, *self._templates[: _MAX_TEMPLATES - 1]]
            if not pad:
                self._hot = template

    def _give_up(self, error: UpstreamFailed) -> bytes:
        self._closed = True
        self.error = error
        return b""


def _decode(data: bytes) -> tuple[_Chunk, list[_Choice]] | None:
    try:
        if not data.isascii():
            data.decode()
        chunk = _CHUNK.decode(data)
        return chunk, _CHOICES.decode(chunk.choices) or []
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _error_in(chunk: _Chunk, choices: list[_Choice]) -> Raw:
    for choice in choices:
        if choice.error != NULL:
            return choice.error
    return chunk.error


def _only_argument(tool_calls: Raw, text: str) -> Raw | None:
    """The raw arguments of a single tool call, if `text` is all of it."""
    try:
        calls = _TOOL_CALLS.decode(tool_calls)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    arguments = calls[0].function.get("arguments") if len(calls) == 1 else None
    return arguments if arguments is not None and text_of(arguments) == text else None
