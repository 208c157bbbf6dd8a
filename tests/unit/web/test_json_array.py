"""A stream framed as one JSON array: valid JSON however its events come."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from reseller_kit.flows.call.job import Job
from reseller_kit.web.gateway.json_array import JsonArraySink


async def array_of(*sent: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body that a client gets for these pieces, of which the last one ends the stream."""
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    sink = JsonArraySink(receive, send, lambda _job: [(b"x-request-id", b"req_1")])
    await sink.start(cast("Job", None))
    for piece in sent[:-1]:
        await sink.send(piece)
    await sink.send(sent[-1], last=True)
    sink.close()
    assert [message.get("more_body") for message in messages[1:]] == [True] * len(sent) + [False]
    return messages[0]["headers"], b"".join(message["body"] for message in messages[1:])


@pytest.mark.parametrize(
    "sent",
    [
        (b'data: {"a":1}\n\n', b'data: {"b":"data: 2"}\n\ndata: {"c":3}\n\n', b'data: {"d":4}\n\n'),
        (b'data: {"a":1}\n\ndata: {"b":2}\n\n',),
        (b"", b'data: {"a":1}\n\n', b"", b""),
        (b"",),
    ],
)
async def test_events_become_elements(sent: tuple[bytes, ...]) -> None:
    headers, body = await array_of(*sent)
    events = [event.removeprefix(b"data: ") for event in b"".join(sent).split(b"\n\n") if event]
    assert json.loads(body) == [json.loads(event) for event in events]
    assert body.startswith(b"[")
    assert body.endswith(b"]")
    assert dict(headers)[b"content-type"].startswith(b"application/json")
    assert (b"x-request-id", b"req_1") in headers
