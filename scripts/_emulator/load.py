"""The emulator for measurements: a plain and a streamed answer of each API made in advance, no journal, little work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import httptools
import msgspec

from scripts._emulator import answers, heads, routes
from scripts._emulator.chat_request import ChatRequest, Message, StreamOptions, count
from scripts._emulator.directives import Directives
from scripts._emulator.exchange import Options, Request, World
from scripts._emulator.journal import Journal

PLAIN_BYTES: Final = 714
EVENTS: Final = 44
STREAM_BYTES: Final = 10_000
INPUT_TOKENS: Final = 25
_STREAMED: Final = re.compile(rb'"stream"\s*:\s*true')
_PACED: Final = re.compile(rb"\[\[pace=(\d{1,2}\.\d{1,3})\]\]")
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


def messages_request(text: str) -> dict[str, Any]:
    """A body for `/v1/messages`."""
    return {"model": "claude-haiku-5-5", "max_tokens": 256, "messages": [{"role": "user", "content": text}]}


def responses_request(text: str) -> dict[str, Any]:
    """A body for `/v1/responses`."""
    return {"model": "gpt-5-mini", "input": text, "store": False}


_EMULATED: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "/v1/messages": messages_request,
    "/v1/responses": responses_request,
}


def pieces(path: str, output: int, *, stream: bool) -> list[bytes]:
    """What the emulator sends for `output` tokens: the head, then the body or each event in its frame."""
    options = Options(name="load", models=(), api_keys=frozenset(), always=Directives(input=INPUT_TOKENS))
    body = msgspec.json.encode(_EMULATED[path](f"[[output={output}]]") | {"stream": stream})
    headers = {"authorization": "Bearer sk-load", "x-api-key": "sk-load", "anthropic-version": "2023-06-01"}
    plan = routes.plan(Request("POST", path, headers, body), World(options, Journal(None)))
    return [piece for piece, _ in plan.pieces]


def event_pieces(path: str) -> list[bytes]:
    """A stream of 44 events, with the head before them and the end of the body behind."""
    around = len(pieces(path, 1, stream=True)) - 1
    return pieces(path, EVENTS + 2 - around, stream=True)


class LoadAnswers:
    """One API's bytes to send. A stream leaves in bursts of `burst` events, each in a write of its own."""

    def __init__(self, plain: bytes, stream: Sequence[bytes], burst: int) -> None:
        """`stream`: its head, each event in its frame, the end of the body."""
        head, *events, end = stream
        self.plain = plain
        self.bursts = _bursts(head, events, end, burst)
        self.singly = _bursts(head, events, end, 1)


def _bursts(head: bytes, events: Sequence[bytes], end: bytes, size: int) -> list[bytes]:
    made = [b"".join(events[start : start + size]) for start in range(0, len(events), size)]
    made[0] = head + made[0]
    made[-1] += end
    return made


def chat_answers(burst: int) -> LoadAnswers:
    """What is answered at every path that is not in `load_answers`."""
    body = plain_body()
    plain = heads.head(200, "application/json", answers.new_id("req_", 32), length=len(body)) + body
    head = heads.head(200, "text/event-stream", answers.new_id("req_", 32), length=None)
    return LoadAnswers(plain, [head, *map(answers.chunk, stream_events()), b"0\r\n\r\n"], burst)


def load_answers(burst: int) -> dict[bytes, LoadAnswers]:
    """The answers of the other APIs by their path."""
    return {
        path.encode(): LoadAnswers(b"".join(pieces(path, 16, stream=False)), event_pieces(path), burst)
        for path in _EMULATED
    }


class LoadConnection(asyncio.Protocol):
    """Serves one connection; a request is looked at for its path and for whether it streams.

    A stream whose request says `[[pace=0.05]]` has as many seconds between its events, each in a write of its own.
    """

    _transport: asyncio.Transport

    def __init__(self, chat: LoadAnswers, others: dict[bytes, LoadAnswers]) -> None:
        self._chat, self._others = chat, others
        self._made = chat
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

    def on_url(self, url: bytes) -> None:
        """Parser: the target."""
        self._made = self._others.get(url.partition(b"?")[0], self._chat)

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        body = b"".join(self._body)
        self._body.clear()
        if _STREAMED.search(body) is None:
            self._transport.write(self._made.plain)
            return
        paced = _PACED.search(body)
        if paced is None:
            self._send(self._made.bursts, 0, 0.0)
        else:
            self._send(self._made.singly, 0, float(paced[1]))

    def _send(self, pieces: Sequence[bytes], position: int, pause: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(pieces[position])
        if position + 1 == len(pieces):
            return
        if pause:
            self._loop.call_later(pause, self._send, pieces, position + 1, pause)
        else:
            self._loop.call_soon(self._send, pieces, position + 1, pause)
