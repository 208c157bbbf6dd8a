"""Streams framed otherwise than as they came: a JSON array is valid JSON however its events come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from reseller_kit.flows.call.job import Job
from reseller_kit.web.gateway.json_array import JsonArraySink
from reseller_kit.web.gateway.stream import StreamSink
from reseller_kit.web.gateway.text_completions import TextSink
from reseller_kit.web.responses import Header


class Server:
    """Takes pieces without a wait."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._messages = messages
        self.tell: Callable[[], None] | None = None

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        raise AssertionError("a stream is sent piece by piece")

    def ready(self) -> bool:
        return True

    def write(self, body: bytes) -> None:
        assert body
        self._messages.append({"body": body, "more_body": True})

    def when_gone(self, call: Callable[[], None] | None) -> None:
        self.tell = call


async def framed(kind: type[StreamSink], *sent: bytes, at_once: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body that a client gets for these pieces, of which the last one ends the stream."""
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    sink = kind(receive, send, lambda _job: [(b"x-request-id", b"req_1")], Server(messages) if at_once else None)
    await sink.start(cast("Job", None))
    assert sink.ready() is at_once
    for piece in sent[:-1]:
        if at_once:
            sink.write(piece)
        else:
            await sink.send(piece)
    await sink.send(sent[-1], last=True)
    sink.close()
    assert [message["more_body"] for message in messages[1:]] == [True] * (len(messages) - 2) + [False]
    return messages[0]["headers"], b"".join(message["body"] for message in messages[1:])


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    "sent",
    [
        (b'data: {"a":1}\n\n', b'data: {"b":"data: 2"}\n\ndata: {"c":3}\n\n', b'data: {"d":4}\n\n'),
        (b'data: {"a":1}\n\ndata: {"b":2}\n\n',),
        (b"", b'data: {"a":1}\n\n', b"", b""),
        (b"",),
    ],
)
async def test_events_become_elements(sent: tuple[bytes, ...], *, at_once: bool) -> None:
    headers, body = await framed(JsonArraySink, *sent, at_once=at_once)
    events = [event.removeprefix(b"data: ") for event in b"".join(sent).split(b"\n\n") if event]
    assert json.loads(body) == [json.loads(event) for event in events]
    assert body.startswith(b"[")
    assert body.endswith(b"]")
    assert dict(headers)[b"content-type"].startswith(b"application/json")
    assert (b"x-request-id", b"req_1") in headers


@pytest.mark.parametrize("at_once", [False, True])
async def test_chat_events_become_completions(*, at_once: bool) -> None:
    said = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    said += b'"choices":[{"index":0,"delta":{"content":"Well"}}]}\n\n'
    _, body = await framed(TextSink, said, said, b"data: [DONE]\n\n", at_once=at_once)
    assert body.count(b'"text":"Well"') == 2
    assert b"delta" not in body
    assert body.endswith(b"data: [DONE]\n\n")


async def test_the_server_tells_that_the_client_left() -> None:
    server, told = Server([]), []
    sink = StreamSink(no_message, no_message, lambda _job: [], server)
    sink.on_gone(lambda: told.append("first"))
    sink.on_gone(lambda: told.append("left"))
    assert not sink.gone()
    assert server.tell is not None
    server.tell()
    assert sink.gone()
    assert told == ["left"]
    await sink.send(b"more")
    sink.close()
    assert server.tell is None


async def test_who_leaves_behind_the_last_byte_leaves_no_stream() -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    server = Server(messages)
    sink = StreamSink(no_message, send, lambda _job: [], server)
    await sink.send(b"end", last=True)
    assert server.tell is not None
    server.tell()
    assert not sink.gone()


async def no_message(*_: Any) -> Any:
    raise NotImplementedError
