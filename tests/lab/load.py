"""Callers: closed loops over connections of their own, in every API; what each got to see. Judges no charge."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

APIS: Final = ("chat", "responses", "messages", "generate_content")
_PATHS: Final = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
_ENDS: Final = {
    "chat": b"data: [DONE]",
    "responses": b"event: response.completed",
    "messages": b"event: message_stop",
    "generate_content": b'"finishReason":"STOP"',
}
_ERROR: Final = re.compile(rb'data: \{"error":|event: error\b|"type":"error"|event: response\.failed')
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: (\S+)\r\n", re.IGNORECASE)
_READ_BYTES: Final = 65536


class Load(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many calls, by so many callers that wait for one answer before they ask again; or for so many seconds.

    `stream`: the share of streams; `apis`: in turn. `leave`: the share of callers that hang up, `leave_after` seconds
    into their call. `pause`: seconds of each caller between two calls. `text`: what is said; directives of the emulator
    in it shape the good answer. `conversations`: how many there are, a new one for each call by default.
    `limit_seconds`: what a whole run may take.
    """

    calls: int = 1000
    seconds: float | None = None
    callers: int = 32
    stream: float = 0.5
    apis: tuple[str, ...] = ("chat",)
    text: str = "Say something. [[input=40 cached=0 output=12]]"
    leave: float = 0.0
    leave_after: float = 0.2
    pause: float = 0.0
    max_tokens: int = 64
    conversations: int | None = None
    limit_seconds: float = 240.0


@dataclass(eq=False)
class Outcome:
    """One call as its caller saw it; times are of the monotonic clock. `broken`: it ended before an answer."""

    n: int
    api: str
    stream: bool
    began: float
    first_byte: float | None = None
    ended: float = 0.0
    received: bytes = b""
    refused: bool = False
    broken: bool = False
    left: bool = False

    @property
    def status(self) -> int:
        """The answer's status; 0 without one."""
        return int(self.received.split(b" ", 2)[1]) if self.received.startswith(b"HTTP/1.1 ") else 0

    @property
    def request_id(self) -> str:
        """The id in the answer's head; empty without one."""
        found = _REQUEST_ID.search(self.received)
        return found[1].decode() if found else ""

    @property
    def body(self) -> bytes:
        """The body as it came."""
        return self.received.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> str | None:
        """A header of the answer."""
        found = re.search(
            rb"\r\n" + name.encode() + rb": ([^\r]*)", self.received.partition(b"\r\n\r\n")[0], re.IGNORECASE
        )
        return found[1].decode() if found else None

    @property
    def failed_in_band(self) -> bool:
        """A stream that had begun and says that it went wrong."""
        return self.stream and self.status == 200 and _ERROR.search(self.body) is not None

    @property
    def looks_whole(self) -> bool:
        """Whether the caller takes the answer for complete."""
        if self.status != 200:
            return False
        return _ENDS[self.api] in self.body if self.stream else not self.broken and self.body.rstrip().endswith(b"}")

    @property
    def good(self) -> bool:
        """A complete answer without an error in it."""
        return self.looks_whole and not self.failed_in_band


@dataclass
class Result:
    """All calls of a run, and when it began."""

    began: float
    ended: float
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """Where calls go: a storefront's port and host, a key and a model."""

    port: int
    host: str
    key: str
    model: str


def request(target: Target, load: Load, api: str, *, stream: bool, opening: str = "") -> bytes:
    """One call, byte for byte; the connection is closed behind its answer. `opening` comes before the load's text."""
    body: dict[str, Any]
    text = opening + load.text
    turn = {"role": "user", "content": text}
    if api == "chat":
        body = {"model": target.model, "messages": [turn], "max_completion_tokens": load.max_tokens, "stream": stream}
    elif api == "responses":
        body = {"model": target.model, "input": [turn], "max_output_tokens": load.max_tokens, "stream": stream}
    elif api == "messages":
        body = {"model": target.model, "messages": [turn], "max_tokens": load.max_tokens, "stream": stream}
    else:
        said = {"role": "user", "parts": [{"text": text}]}
        body = {"contents": [said], "generationConfig": {"maxOutputTokens": load.max_tokens}}
    content = json.dumps(body).encode()
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    path = _PATHS.get(api, f"/v1beta/models/{target.model}:{method}")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {target.host}\r\nauthorization: Bearer {target.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content


class Run:
    """A load under way, in a thread of its own."""

    def __init__(self, target: Target, load: Load, seed: int = 1) -> None:
        self._target, self._load = target, load
        self._chance = random.Random(seed)
        self._next = 0
        self._stop = False
        self.result = Result(time.monotonic(), 0.0)
        self._thread = threading.Thread(target=self._live, name="load")

    @property
    def done(self) -> int:
        """Calls that are over."""
        return sum(1 for outcome in list(self.result.outcomes) if outcome.ended)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further call."""
        self._stop = True

    def wait(self) -> Result:
        """The result, once the last call is over."""
        self._thread.join()
        return self.result

    def _live(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._crowd())
        self.result.ended = time.monotonic()

    async def _crowd(self) -> None:
        callers = [asyncio.create_task(self._caller()) for _ in range(self._load.callers)]
        _, late = await asyncio.wait(callers, timeout=self._load.limit_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    async def _caller(self) -> None:
        while (outcome := self._begin()) is not None:
            await self._call(outcome)
            if self._load.pause:
                await asyncio.sleep(self._load.pause)

    def _begin(self) -> Outcome | None:
        load, now = self._load, time.monotonic()
        over = self._next >= load.calls if load.seconds is None else now - self.result.began >= load.seconds
        if over or self._stop:
            return None
        self._next += 1
        api = load.apis[self._next % len(load.apis)]
        outcome = Outcome(self._next, api, self._chance.random() < load.stream, now)
        outcome.left = self._chance.random() < load.leave
        self.result.outcomes.append(outcome)
        return outcome

    async def _call(self, outcome: Outcome) -> None:
        leaves, outcome.left = outcome.left, False
        writer = None
        try:
            async with asyncio.timeout(self._load.leave_after if leaves else None):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._target.port)
                # Each is a conversation of its own: those that begin alike are asked where the last one was.
                opening = (
                    f"{outcome.n}. "
                    if self._load.conversations is None
                    else f"{outcome.n % self._load.conversations}. "
                )
                writer.write(request(self._target, self._load, outcome.api, stream=outcome.stream, opening=opening))
                await _receive(outcome, reader)
        except TimeoutError:
            outcome.left = True
        except ConnectionRefusedError:
            outcome.refused = True
        except OSError:
            outcome.broken = True
        finally:
            outcome.ended = time.monotonic()
            if writer is not None:
                writer.transport.abort() if outcome.left else writer.close()


async def _receive(outcome: Outcome, reader: asyncio.StreamReader) -> None:
    pieces: list[bytes] = []
    try:
        while data := await reader.read(_READ_BYTES):
            if outcome.first_byte is None:
                outcome.first_byte = time.monotonic()
            pieces.append(data)
    finally:
        outcome.received = b"".join(pieces)
        outcome.broken = not outcome.received


@contextmanager
def running(target: Target, load: Load) -> Iterator[Run]:
    """A load that has begun; it ends with the block at the latest."""
    run = Run(target, load)
    run.start()
    try:
        yield run
    finally:
        run.stop()
        with suppress(RuntimeError):
            run.wait()
