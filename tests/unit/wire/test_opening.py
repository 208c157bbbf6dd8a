"""The events that only say that an answer begins, as each API writes them and as upstreams of chat do."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Api, Call, Reply
from reseller_kit.wire.codecs import CODECS
from reseller_kit.wire.completion import Event, Finished, PartEnded, PartGrew, PartStarted
from reseller_kit.wire.opening import opening_of
from reseller_kit.wire.translated import TranslatedTap

_REPLY = Reply(model="swift", request_id="req_01K", maker="")
_OPENING_APIS: tuple[Api, ...] = ("chat", "responses", "messages")


def call(api: Api) -> Call:
    return Call(api=api, model="swift", stream=True, fields={"input": Raw(b'"Hi"')}, input_bound=10)


def chunk(**delta: object) -> bytes:
    return b'data: {"id":"x","choices":[{"index":0,"delta":%b}]}\n\n' % msgspec.json.encode(delta)


@pytest.mark.parametrize("api", _OPENING_APIS)
def test_what_a_writer_opens_with_is_an_opening_and_nothing_behind_it(api: Api) -> None:
    writer = CODECS[api].event_writer(call(api), _REPLY)
    opening = writer.open()
    assert opening
    assert writer.open() == b""
    events: list[Event] = [PartStarted(kind="text"), PartGrew("Hello"), PartEnded(), Finished(finish="stop")]
    rest = b"".join(map(writer.write, events)) + writer.finish(Usage())
    assert opening_of(api, opening + rest) == opening
    assert opening_of(api, rest) == b""


@pytest.mark.parametrize("api", _OPENING_APIS)
def test_without_being_asked_a_writer_opens_with_the_first_part(api: Api) -> None:
    writer = CODECS[api].event_writer(call(api), _REPLY)
    assert opening_of(api, writer.write(PartStarted(kind="text")) + writer.write(PartGrew("Hello")))
    assert writer.open() == b""


def test_a_stream_of_gemini_has_no_opening() -> None:
    writer = CODECS["generate_content"].event_writer(call("generate_content"), _REPLY)
    assert writer.open() == b""
    assert opening_of("generate_content", writer.write(PartStarted(kind="text")) + writer.write(PartGrew("Hi"))) == b""


@pytest.mark.parametrize(
    "opening",
    [
        chunk(role="assistant"),
        chunk(role="assistant", content=""),
        chunk(role="assistant", content=None, refusal=None, tool_calls=[]),
        chunk(role="assistant", content="") + chunk(role="assistant"),
    ],
)
def test_chunks_that_say_who_speaks_are_an_opening(opening: bytes) -> None:
    assert opening_of("chat", opening + chunk(content="Hello")) == opening
    assert opening_of("chat", opening[:-1]) in (b"", opening[: opening.index(b"\n\n") + 2])


@pytest.mark.parametrize(
    "event",
    [
        chunk(role="assistant", content="Hello"),
        chunk(role="assistant", reasoning_content="Hm"),
        chunk(content=""),
        b'data: {"choices":[{"delta":{"role":"assistant"},"finish_reason":"stop"}]}\n\n',
        b'data: {"choices":[{"delta":{"role":"assistant"}},{"delta":{"content":"Hello"}}]}\n\n',
        b'data: {"choices":[]}\n\n',
        b'data: {"error":{"message":"no"}}\n\n',
        b": ping\n\n",
        b"data: [DONE]\n\n",
        b"",
    ],
)
def test_chunks_that_say_more_are_none(event: bytes) -> None:
    assert opening_of("chat", event) == b""


def test_a_translated_stream_opens_once_its_upstream_has_begun() -> None:
    codec = CODECS["chat"]
    tap = TranslatedTap(
        codec.event_reader(_REPLY), CODECS["messages"].event_writer(call("messages"), _REPLY), "messages"
    )
    assert tap.feed(b": processing\n\n") + tap.open() == b""
    assert tap.feed(chunk(role="assistant", content="")[:-1]) + tap.open() == b""
    assert tap.feed(b"\n") == b""
    assert tap.open().startswith(b"event: message_start\n")
    assert b"message_start" not in tap.feed(chunk(content="Hello"))
