"""One connection of the double: reads requests, sends answers, breaks connections where that is asked for."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, cast

import httptools

MAX_BODY_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """A request that has come in whole; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is sent. `lost`: nothing is, and the connection breaks."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())
    lost: bool = False


class Connection(asyncio.Protocol):
    """Serves the requests of one connection in order."""

    _transport: asyncio.Transport

    def __init__(self, respond: Callable[[Request], Awaitable[Answer]]) -> None:
        self._respond = respond
        self._parser = httptools.HttpRequestParser(self)
        self._target, self._headers, self._body = b"", dict[str, str](), bytearray()
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The caller connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why is all the same here
        """The caller is gone; what it asked for is still done."""
        self._waiting.clear()
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        """Parser: (a part of) the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Parser: a part of the body."""
        if len(self._body) + len(data) > MAX_BODY_BYTES:
            raise ValueError("body too large")
        self._body += data

    def on_message_complete(self) -> None:
        """Parser: a request is whole."""
        method = self._parser.get_method().decode("ascii")
        self._waiting.append(Request(method, self._target.decode("latin-1"), self._headers, bytes(self._body)))
        self._target, self._headers, self._body = b"", {}, bytearray()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            answer = await self._respond(request)
            if self._transport.is_closing():
                break
            if answer.lost:
                self._reset()
                break
            self._transport.write(_written(answer, with_body=request.method != "HEAD"))
        self._task = None

    def _reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()


def _written(answer: Answer, *, with_body: bool) -> bytes:
    reason = HTTPStatus(answer.status).phrase
    headers = (("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} {reason}\r\n{head}\r\n".encode() + (answer.body if with_body else b"")
