"""Answers on their way from one API to another: read into the intermediate form, metered there, written out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ..core.errors import KitError, UpstreamFailed
from ..core.usage import Usage
from .codec import Api, Call, Codec, Reply
from .completion import Completion, Event, EventReader, EventWriter, Finished, PartGrew, PartStarted
from .conversation import Media, Reasoning, Text, ToolCall
from .known import CallId
from .stops import Cut
from .text_log import TextLog

_CALL_PREFIX: Final[dict[Api, str]] = {
    "chat": "call_",
    "responses": "call_",
    "messages": "toolu_",
    "generate_content": "",
}
_MAKERS_PREFIX: Final = re.compile(r"^(?:call|chatcmpl-tool|fc|srvtoolu|tooluse|toolu)[_-]")


def own_call_id(call_id: str, api: Api) -> str:
    """A tool call's id as the caller's API begins them: how an id begins tells who made it.

    Upstreams take any id back, as long as a call and its result have the same.
    """
    if not call_id:
        return call_id
    prefix = _CALL_PREFIX[api]
    return CallId(prefix).own(prefix + _MAKERS_PREFIX.sub("", call_id, count=1))


class TranslatedAnswer(Struct, frozen=True, kw_only=True):
    """A `completion.Answer` that came in another API than the caller's `codec`."""

    completion: Completion
    codec: Codec
    call: Call
    reply: Reply

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, None where nothing usable."""
        return self.completion.usage

    @property
    def delivered(self) -> bool:
        """Whether content of any kind came."""
        return any(map(_holds_something, self.completion.parts))

    def estimate_text(self) -> str:
        """All text that the model wrote."""
        return "".join(map(_text_of, self.completion.parts))

    def body(self, usage: Usage) -> bytes:
        """The JSON body in the caller's API, showing `usage` as what is charged."""
        parts = tuple(
            replace(part, id=own_call_id(part.id, self.codec.api)) if isinstance(part, ToolCall) else part
            for part in self.completion.parts
        )
        return self.codec.write_completion(replace(self.completion, parts=parts), self.call, self.reply, usage)


class TranslatedTap:
    """A `completion.Tap` over a reader of the upstream's API and a writer of the caller's, which is `api`.

    `stops`: where the answer ends; the upstream is read on, for what it reports.
    """

    def __init__(self, reader: EventReader, writer: EventWriter, api: Api, stops: Sequence[str] = ()) -> None:
        self._reader, self._writer, self._api = reader, writer, api
        self._cut = Cut(stops) if stops else None
        self._log = TextLog()
        self.started = False
        self._finished = False

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported last."""
        return self._reader.usage

    @property
    def opening(self) -> Usage | None:
        """What the upstream said before it wrote."""
        return self._reader.opening

    @property
    def done(self) -> bool:
        """Whether the terminal event came."""
        return self._reader.done

    @property
    def error(self) -> UpstreamFailed | None:
        """What went wrong."""
        return self._reader.error

    @property
    def whole(self) -> bool:
        """Whether the answer is complete."""
        return self._finished and self._reader.error is None

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""
        return self._log.characters

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now."""
        return self._write(self._reader.feed(data))

    def open(self) -> bytes:
        """The opening events, once the upstream has begun."""
        return self._writer.open() if self._reader.begun else b""

    def end(self) -> bytes:
        """The upstream closed the stream."""
        return self._write(self._reader.end())

    def estimate_text(self) -> str:
        """The text that came so far."""
        return self._log.text()

    def ping(self) -> bytes:
        """As `EventWriter.ping`."""
        return self._writer.ping()

    def finish(self, usage: Usage) -> bytes:
        """As `EventWriter.finish`."""
        return self._writer.finish(usage)

    def fail(self, error: KitError) -> bytes:
        """As `EventWriter.fail`."""
        return self._writer.fail(error)

    def _write(self, events: list[Event]) -> bytes:
        if self._cut is not None:
            events = self._cut.kept(events)
        for event in events:
            self._note(event)
        return b"".join([self._writer.write(self._own(event)) for event in events])

    def _own(self, event: Event) -> Event:
        if isinstance(event, PartStarted) and event.kind == "tool_call":
            return replace(event, call_id=own_call_id(event.call_id, self._api))
        return event

    def _note(self, event: Event) -> None:
        if isinstance(event, PartGrew):
            if event.text:
                self.started = True
                self._log.add(event.text)
        elif isinstance(event, PartStarted):
            if event.kind == "tool_call":
                self.started = True
                self._log.add(event.name)
        elif isinstance(event, Finished):
            self._finished = True
            # An answer may be cut before its first word, while the upstream writes on.
            self.started = self.started or event.stop_sequence is not None


def _holds_something(part: Text | Reasoning | ToolCall | Media) -> bool:
    return not isinstance(part, Text | Reasoning) or bool(part.text) or (isinstance(part, Reasoning) and part.redacted)


def _text_of(part: Text | Reasoning | ToolCall | Media) -> str:
    if isinstance(part, ToolCall):
        return part.name + part.arguments
    return "" if isinstance(part, Media) else part.text
