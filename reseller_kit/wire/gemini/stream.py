"""Streamed answers of streamGenerateContent: metered and rewritten to the storefront's names as the bytes pass.

Contents travel as raw bytes, at once. Why a candidate ended and what was used is held back until the charge is
settled. No event says that it is the last one, so a stream is done when the upstream ends it. Source: Gemini API
reference, "streamGenerateContent".
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec
from msgspec import Raw

from ...core.errors import KitError, UpstreamFailed
from ...core.usage import Usage, later
from ..codec import Call, Reply
from ..errors import stream_error
from ..gemini_usage import read_usage
from ..json_body import NULL, is_given
from ..sse import EventSplitter, parse_event
from ..text_log import TextLog
from ..upstream_message import failed
from .answer import (
    BAD,
    Candidate,
    Chunk,
    Feedback,
    decode_chunk,
    encode_feedback,
    encode_usage,
    named,
    named_within,
    own_content,
    pieces_of,
    text_of,
)

MAX_EVENT_BYTES: Final = 32 << 20
"""An event may hold a whole picture."""
_KEPT_REPORTS: Final = 8
_NO_CONTENT: Final = Raw(b'{"parts":[{"text":""}],"role":"model"}')
_ENCODER: Final = msgspec.json.Encoder()


class GeneratedTap:
    """One streamed answer on its way to the caller; see `completion.Tap`."""

    def __init__(self, _call: Call, reply: Reply, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.opening: Usage | None = None
        self.started = False
        self.done = False
        self.error: UpstreamFailed | None = None
        self._named = named(reply)
        self._tail = b"}],%b\n\n" % named_within(reply)
        self._splitter = EventSplitter(max_event_bytes)
        self._log = TextLog()
        self._seen: set[int] = set()
        self._endings: dict[int, dict[str, Raw | str]] = {}
        self._feedback: Feedback | None = None
        self._usage: Usage | None = None
        self._reports: deque[Raw] = deque(maxlen=_KEPT_REPORTS)
        self._at_end = False

    @property
    def usage(self) -> Usage | None:
        """What was reported last: each event tells the whole so far, and few are looked at."""
        while self._reports:
            found = read_usage(self._reports.pop())
            if found is not None:
                self._usage = later(self._usage, found)
                self._reports.clear()
        return self._usage

    @property
    def whole(self) -> bool:
        """Whether it was said of every candidate why it ended, or of the prompt why it is not answered."""
        if self.error is not None:
            return False
        blocked = self._feedback is not None and self._feedback.block_reason is not None
        ended = {index for index, ending in self._endings.items() if "finishReason" in ending}
        return ended >= self._seen and (bool(ended) or blocked)

    @property
    def delivered_chars(self) -> int:
        """Characters of text that came so far."""
        return self._log.characters

    def estimate_text(self) -> str:
        """The text that came so far: words, thoughts, names of functions and their arguments."""
        return self._log.text()

    def feed(self, data: bytes) -> bytes:
        """Take what the upstream sent; returns what the caller gets now, whole events only."""
        if self.error is not None:
            return b""
        out = self._pass_all(self._splitter.feed(data))
        if self._splitter.overflow and self.error is None:
            self._give_up(UpstreamFailed("an event over the size limit", upstream_status=200))
        return out

    def open(self) -> bytes:
        """Nothing: the upstream's own opening passes."""
        return b""

    def end(self) -> bytes:
        """The upstream closed the stream: take an event that it left without its blank line."""
        self._at_end = True
        out = b"" if self.error is not None else self._pass_all(self._splitter.close())
        self.done = self.whole
        return out

    def ping(self) -> bytes:
        """Nothing: clients of this dialect take no event but an answer."""
        return b""

    def finish(self, usage: Usage) -> bytes:
        """The end of a good stream, to be sent after settlement, with the charged usage."""
        candidates: list[dict[str, Any]] = [
            {"content": _NO_CONTENT, **ending, "index": index} for index, ending in sorted(self._endings.items())
        ]
        return b'data: {%b%b"usageMetadata":%b,%b\n\n' % (
            b'"candidates":%b,' % _ENCODER.encode(candidates) if candidates else b"",
            encode_feedback(self._feedback),
            encode_usage(usage),
            self._named,
        )

    def fail(self, error: KitError) -> bytes:
        """The end of a stream that went wrong: the error in-band, and nothing that looks like success."""
        return stream_error(error, "gemini")

    def _pass_all(self, blocks: list[bytes]) -> bytes:
        out = []
        for block in blocks:
            out.append(self._pass_on(block))
            if self.error is not None:
                break
        return b"".join(out)

    def _pass_on(self, block: bytes) -> bytes:
        _, data = parse_event(block)
        if not data.strip():
            return b""
        try:
            chunk = decode_chunk(data)
            if chunk.error is not NULL and is_given(chunk.error):
                return self._give_up(failed(chunk.error, "an error event"))
            return self._passed(chunk)
        except BAD:
            return b"" if self._at_end else self._give_up(UpstreamFailed("a malformed event", upstream_status=200))

    def _passed(self, chunk: Chunk) -> bytes:
        if chunk.usage_metadata is not NULL:
            self._reports.append(chunk.usage_metadata)
        if chunk.prompt_feedback is not None:
            self._feedback = chunk.prompt_feedback
        return b"".join([self._candidate(one) for one in chunk.candidates or ()])

    def _candidate(self, one: Candidate) -> bytes:
        self._seen.add(one.index)
        ending = one.ending()
        if ending:
            self._endings[one.index] = {**self._endings.get(one.index, {}), **ending}
        pieces = pieces_of(one.content)
        if not pieces:
            return b""
        for piece in pieces:
            text = text_of(piece)
            if text:
                self._log.add(text)
                self.started = True
            elif piece.inline_data is not None:
                self.started = True
        content = bytes(own_content(one.content))
        if b"\n" in content:
            # Only between the tokens of JSON.
            content = content.replace(b"\n", b" ")
        return b'data: {"candidates":[{"content":%b,"index":%d%b' % (content, one.index, self._tail)

    def _give_up(self, error: UpstreamFailed) -> bytes:
        self.error = error
        return b""
