"""The emulator for measurements: two answers made in advance, no journal, as little work as possible."""

from __future__ import annotations

import asyncio
import re
from typing import Final, cast

import httptools

from scripts._emulator import answers, heads
from scripts._emulator.chat_request import ChatRequest, Message, StreamOptions, count
from scripts._emulator.directives import Directives

PLAIN_BYTES: Final = 714
EVENTS: Final = 44
STREAM_BYTES: Final = 10_000
INPUT_TOKENS: Final = 25
_STREAMED: Final = re.compile(rb'"stream"\s*:\s*true')
# Optional fields that would make 44 events longer than the 10 kB that earlier figures were taken with.
_LEFT_OUT: Final = re.compile(rb'"(service_tier":"default|system_fingerprint":"\w+)",|"logprobs":null,')


def _request(*, stream: bool) -> ChatRequest:
    options = StreamOptions(include_usage=True) if stream else None
    return ChatRequest("gpt-5-mini", [Message("user", "hi")], stream=stream, stream_options=options)


def plain_body() -> bytes:
    """A completion of exactly 714 bytes."""

    def body(text: str) -> bytes:
        directives = Directives(input=INPUT_TOKENS, text=text, output=16)
        return answers.completion(request, directives, count(request, directives))

    request = _request(stream=False)
    return body("w" * (PLAIN_BYTES - len(body("w")) + 1))


def stream_events() -> list[bytes]:
    """44 events that make about 10 kB: role, 40 words, finish, usage, `[DONE]`."""
    request = _request(stream=True)
    words = EVENTS - 4
    fill = (STREAM_BYTES - sum(map(len, _events(request, "w " * words)))) // words
    return _events(request, f"w{'w' * max(fill, 0)} " * words)


def _events(request: ChatRequest, text: str) -> list[bytes]:
    directives = Directives(input=INPUT_TOKENS, text=text.rstrip())
    made = [event for event, _ in answers.events(request, directives, count(request, directives))]
    return [_LEFT_OUT.sub(b"", event) for event in made]


class LoadAnswers:
    """The bytes to send. A stream leaves in bursts of `burst` events, each in a write of its own."""

    def __init__(self, burst: int) -> None:
        body = plain_body()
        self.plain = heads.head(200, "application/json", answers.new_id("req_", 32), length=len(body)) + body
        head = heads.head(200, "text/event-stream", answers.new_id("req_", 32), length=None)
        pieces = [answers.chunk(event) for event in stream_events()]
        self.bursts = [b"".join(pieces[start : start + burst]) for start in range(0, len(pieces), burst)]
        self.bursts[0] = head + self.bursts[0]
        self.bursts[-1] += b"0\r\n\r\n"


class LoadConnection(asyncio.Protocol):
    """Serves one connection; a request is looked at for one thing, whether it streams."""

    _transport: asyncio.Transport

    def __init__(self, made: LoadAnswers) -> None:
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The caller connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.abort()

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        streamed = _STREAMED.search(b"".join(self._body))
        self._body.clear()
        if streamed is None:
            self._transport.write(self._made.plain)
        else:
            self._burst(0)

    def _burst(self, position: int) -> None:
        if self._transport.is_closing():
            return
        bursts = self._made.bursts
        self._transport.write(bursts[position])
        if position + 1 < len(bursts):
            self._loop.call_soon(self._burst, position + 1)
