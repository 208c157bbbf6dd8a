"""The messages tap and plain answers: what passes, what is held back, what is metered; any split gives the same."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import ServiceUnavailable, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.anthropic_messages import CODEC, decode
from reseller_kit.wire.anthropic_messages.stream import MessageTap
from reseller_kit.wire.codec import Reply

_CALL = decode(b'{"model":"aurora-fast","max_tokens":9,"messages":[{"role":"user","content":"x"}]}')
_REPLY = Reply(model="aurora-fast", request_id="req_1", maker="maker")
_STARTED = {
    "input_tokens": 10,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "not_available",
}
_USED = Usage(input_tokens=10, cached_input_tokens=4, cache_write_tokens=1, cache_write_1h_tokens=2, output_tokens=30)


def event(kind: str, *, pad: int = 0, name: bool = True, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}, separators=(",", ":"), ensure_ascii=False).encode()
    line = b"event: %b\n" % kind.encode() if name else b""
    return line + b"data: " + data[:-1] + b" " * pad + b"}\n\n"


def start(**members: Any) -> bytes:
    message = {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": "upstream-model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _STARTED,
        "system_fingerprint": "upstream",
        **members,
    }
    return event("message_start", message=message, provider="upstream")


def delta(kind: str, member: str, text: str, *, index: int = 0, pad: int = 0, name: bool = True) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, member: text}, pad=pad, name=name)


def block(index: int = 0, **members: Any) -> bytes:
    return event("content_block_start", index=index, content_block={"type": "text", "text": "", **members})


_END = event(
    "message_delta",
    delta={"stop_reason": "end_turn", "stop_sequence": None, "container": {"id": "upstream"}},
    usage={"output_tokens": 30},
)
_WORDS = [delta("text_delta", "text", word, pad=n) for n, word in enumerate(("Hel", 'lo\n"', " 漢", "text", " there"))]
_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
_STREAM = [
    start(),
    event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    delta("thinking_delta", "thinking", "Hm"),
    delta("signature_delta", "signature", "c2ln"),
    event("content_block_stop", index=0),
    block(1),
    event("ping"),
    *[word.replace(b'"index":0', b'"index":1') for word in _WORDS],
    event("content_block_stop", index=1),
    event("content_block_start", index=2, content_block=_TOOL),
    delta("input_json_delta", "partial_json", '{"at":', index=2),
    delta("input_json_delta", "partial_json", "1}", index=2),
    event("content_block_stop", index=2),
    event("news_from_upstream", secret="upstream"),
    _END,
    event("message_stop"),
]
_TEXT = 'HmHello\n" 漢text therelook{"at":1}'


def make_tap(**arguments: Any) -> MessageTap:
    return MessageTap(_CALL, _REPLY, **arguments)


def events_of(sent: bytes) -> list[tuple[str, dict[str, Any]]]:
    parts = sent.split(b"\n\n")
    assert parts.pop() == b""
    found = []
    for part in parts:
        name, data = part.split(b"\n")
        document = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + document["type"].encode()
        found.append((document["type"], document))
    return found


def run(tap: MessageTap, pieces: list[bytes]) -> bytes:
    return b"".join([tap.feed(piece) for piece in pieces]) + tap.end()


def state_of(tap: MessageTap) -> tuple[Any, ...]:
    error = None if tap.error is None else tap.error.reason
    return tap.usage, tap.started, tap.done, tap.whole, error, tap.estimate_text(), tap.delivered_chars


def test_a_stream_passes_under_the_storefronts_names_and_its_end_waits() -> None:
    tap = make_tap()
    events = events_of(run(tap, _STREAM))
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "message_start"
    assert not {"message_delta", "message_stop", "news_from_upstream"} & set(kinds)
    message = events[0][1]["message"]
    assert (message["id"], message["model"]) == ("msg_1", "aurora-fast")
    assert message["usage"]["input_tokens"] == 10
    assert message["usage"]["cache_creation"] == _STARTED["cache_creation"]
    assert state_of(tap) == (_USED, True, True, True, None, _TEXT, len(_TEXT))
    end = events_of(tap.finish(_USED))
    assert [kind for kind, _ in end] == ["message_delta", "message_stop"]
    assert end[0][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert end[0][1]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens": 30,
    }


def test_the_usage_that_is_shown_is_the_charged_one() -> None:
    tap = make_tap()
    run(tap, _STREAM)
    end = events_of(tap.finish(Usage(input_tokens=7, output_tokens=2)))
    assert end[0][1]["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 2,
    }


def test_nothing_of_the_upstream_shows() -> None:
    tap = make_tap()
    assert b"upstream" not in run(tap, _STREAM) + tap.finish(_USED)


def test_what_the_model_wrote_arrives_unchanged() -> None:
    events = events_of(run(make_tap(), _STREAM))
    deltas = [document["delta"] for kind, document in events if kind == "content_block_delta"]
    assert "".join(found.get("text", "") for found in deltas) == 'Hello\n" 漢text there'
    assert "".join(found.get("partial_json", "") for found in deltas) == '{"at":1}'
    assert {"type": "signature_delta", "signature": "c2ln"} in deltas
    assert [document["index"] for kind, document in events if kind == "content_block_stop"] == [0, 1, 2]


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(b"".join(_STREAM))), max_size=12), st.booleans())
def test_any_split_gives_the_same(cuts: list[int], carriage: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    whole = b"".join(_STREAM)
    if carriage:
        whole = whole.replace(b"\n", b"\r\n")
    edges = [0, *sorted(cuts), len(whole)]
    tap, other = make_tap(), make_tap()
    sent = run(tap, [whole[a:b] for a, b in itertools.pairwise(edges)])
    assert sent.replace(b" }", b"}") == run(other, _STREAM).replace(b" }", b"}")
    assert state_of(tap) == state_of(other)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(_STREAM) | st.binary(max_size=30), max_size=12))
def test_no_stream_raises(pieces: list[bytes]) -> None:
    tap, reader = make_tap(), CODEC.event_reader(_REPLY)
    events_of(run(tap, pieces))
    for piece in pieces:
        reader.feed(piece)
    reader.end()
    assert (tap.error is None) == (reader.error is None)
    assert tap.usage == reader.usage


def test_events_without_names_and_with_other_white_space_pass() -> None:
    spaced = b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "%b"}}\n\n'
    tap = make_tap()
    events = events_of(run(tap, [start(), block(), spaced % b"A", spaced % b"B", _WORDS[0], spaced % b"C"]))
    assert [document["delta"]["text"] for kind, document in events if kind == "content_block_delta"] == [
        "A",
        "B",
        "Hel",
        "C",
    ]
    assert tap.estimate_text() == "ABHelC"


def test_a_stream_without_its_start_gets_one() -> None:
    events = events_of(run(make_tap(), [block(), _WORDS[0]]))
    assert [kind for kind, _ in events] == ["message_start", "content_block_start", "content_block_delta"]


def test_a_stream_that_ends_after_the_reason_is_whole() -> None:
    tap = make_tap()
    run(tap, _STREAM[:-1])
    assert (tap.done, tap.whole) == (False, True)


def test_a_cut_stream_is_not_whole() -> None:
    tap = make_tap()
    run(tap, [*_STREAM[:8], b'event: content_block_delta\ndata: {"type":"content_bl'])
    assert (tap.done, tap.whole, tap.error, tap.started) == (False, False, None, True)


def test_a_start_alone_is_no_content() -> None:
    tap = make_tap()
    run(tap, [start(), block(), event("ping")])
    assert not tap.started
    tap.feed(event("content_block_start", index=1, content_block=_TOOL))
    assert tap.started


@pytest.mark.parametrize(
    "bad",
    [
        event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
        b'event: error\ndata: {"error":{"type":"api_error","message":"x"}}\n\n',
        b'data: {"error":"boom"}\n\n',
        b"data: {\n\n",
        b"data: [1]\n\n",
        b'data: {"type":"content_block_delta","delta":7}\n\n',
        b"data: \xff\n\n",
    ],
)
def test_errors_end_the_stream(bad: bytes) -> None:
    tap = make_tap()
    sent = run(tap, [*_STREAM[:8], bad, *_STREAM[8:]])
    assert isinstance(tap.error, UpstreamFailed)
    assert not tap.whole
    assert events_of(sent)[-1][0] == "content_block_delta"
    failed = events_of(tap.fail(ServiceUnavailable("Try again.")))
    assert failed == [
        (
            "error",
            {
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Try again."},
                "request_id": "req_1",
            },
        )
    ]


def test_an_endless_event_ends_the_stream() -> None:
    tap = make_tap(max_event_bytes=2_000)
    tap.feed(start())
    tap.feed(b"data: " + b"x" * 3_000)
    assert tap.error is not None
    assert tap.feed(block()) == b""


def test_a_ping_is_one_that_clients_pass_over() -> None:
    assert events_of(make_tap().ping()) == [("ping", {"type": "ping"})]


def test_a_stream_without_usage_has_none() -> None:
    tap = make_tap()
    run(tap, [start(usage=None), block(), _WORDS[0], event("message_delta", delta={"stop_reason": "end_turn"})])
    assert (tap.usage, tap.whole) == (None, True)
    assert events_of(tap.finish(_USED))[-1][0] == "message_stop"


def answer_body(**members: Any) -> bytes:
    message = {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": "upstream-model",
        "content": [{"type": "text", "text": "Hello"}, _TOOL],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": _STARTED,
        "container": {"id": "upstream"},
        **members,
    }
    return json.dumps(message).encode()


def test_a_plain_answer_shows_the_charged_usage_and_no_upstream() -> None:
    answer = CODEC.read_answer(_CALL, answer_body(stop_details={"type": "refusal"}), _REPLY)
    assert answer.usage == Usage(
        input_tokens=10, cached_input_tokens=4, cache_write_tokens=1, cache_write_1h_tokens=2, output_tokens=1
    )
    assert answer.delivered
    assert answer.estimate_text() == "Hellolook"
    body = json.loads(answer.body(Usage(input_tokens=7, output_tokens=2)))
    assert b"upstream" not in answer.body(_USED)
    assert (body["id"], body["model"], body["stop_reason"]) == ("msg_1", "aurora-fast", "tool_use")
    assert body["content"] == [{"type": "text", "text": "Hello"}, _TOOL]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (7, 2)
    assert body["stop_details"] == {"type": "refusal"}


def test_an_empty_answer_delivers_nothing() -> None:
    assert not CODEC.read_answer(_CALL, answer_body(content=[]), _REPLY).delivered


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"type":"error","error":{"type":"api_error","message":"x"}}',
        b'{"type":"message"}',
        b'{"type":"completion","content":[]}',
    ],
)
def test_what_is_no_message_fails(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        CODEC.read_answer(_CALL, body, _REPLY)
    with pytest.raises(UpstreamFailed):
        CODEC.read_completion(body, _REPLY)
