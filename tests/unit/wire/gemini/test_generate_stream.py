"""The tap and reader of Gemini's streams: what passes, what is held back, what is metered; any split gives the same."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import ServiceUnavailable, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Event, Finished, PartEnded, PartGrew, PartStarted
from reseller_kit.wire.gemini import CODEC, decode
from reseller_kit.wire.gemini.events import ChunkReader
from reseller_kit.wire.gemini.stream import GeneratedTap

_CALL = decode(b'{"contents":[{"parts":[{"text":"x"}]}]}', model="aurora-fast", stream=True)
_REPLY = Reply(model="aurora-fast", request_id="req_1", maker="maker")
_METADATA = {"promptTokenCount": 10, "candidatesTokenCount": 6, "thoughtsTokenCount": 4, "totalTokenCount": 20}
_USED = Usage(input_tokens=10, output_tokens=10, reasoning_tokens=4)
_SIGNED = {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": "c2ln"}


def event(*parts: Any, index: int = 0, used: Any = None, end: str = "\r\n\r\n", **members: Any) -> bytes:
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    document = {
        "candidates": [{**content, "index": index, "tokenCount": 7, **members}],
        "modelVersion": "upstream-model",
        "responseId": "upstream-id",
        "createTime": "upstream",
        **({"usageMetadata": used} if used else {}),
    }
    return f"data: {json.dumps(document, ensure_ascii=False)}{end}".encode()


_RATINGS = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]
_STREAM = [
    event({"text": "Hm", "thought": True}),
    event({"text": "Hel"}, used={**_METADATA, "candidatesTokenCount": 1, "totalTokenCount": 15}),
    event({"text": 'lo\n"'}, {"text": " 漢"}),
    event(_SIGNED),
    event(finishReason="STOP", finishMessage="upstream", safetyRatings=_RATINGS, used=_METADATA),
]
_TEXT = 'HmHello\n" 漢look{"at": 1}'
_EVENTS: list[Event] = [
    PartStarted(kind="reasoning"),
    PartGrew("Hm"),
    PartEnded(),
    PartStarted(kind="text"),
    PartGrew("Hel"),
    PartGrew('lo\n"'),
    PartGrew(" 漢"),
    PartEnded(),
    PartStarted(kind="tool_call", call_id="call_1_0", name="look"),
    PartGrew('{"at": 1}'),
    PartEnded(signature="c2ln", maker="maker"),
    Finished(finish="tool_calls"),
]


def make_tap(**arguments: Any) -> GeneratedTap:
    return GeneratedTap(_CALL, _REPLY, **arguments)


def documents(sent: bytes) -> list[dict[str, Any]]:
    blocks = sent.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def run(tap: GeneratedTap, pieces: list[bytes]) -> bytes:
    return b"".join([tap.feed(piece) for piece in pieces]) + tap.end()


def state_of(tap: GeneratedTap) -> tuple[Any, ...]:
    error = None if tap.error is None else tap.error.reason
    return tap.usage, tap.started, tap.done, tap.whole, error, tap.estimate_text(), tap.delivered_chars


def read(pieces: list[bytes]) -> tuple[ChunkReader, list[Event]]:
    reader = ChunkReader(_REPLY)
    events = [found for piece in pieces for found in reader.feed(piece)]
    return reader, events + reader.end()


def test_a_stream_passes_under_the_storefronts_names_and_its_end_waits() -> None:
    tap = make_tap()
    sent = run(tap, _STREAM)
    found = documents(sent)
    assert [document["candidates"][0]["content"]["parts"] for document in found] == [
        [{"text": "Hm", "thought": True}],
        [{"text": "Hel"}],
        [{"text": 'lo\n"'}, {"text": " 漢"}],
        [_SIGNED],
    ]
    assert {document["modelVersion"] for document in found} == {"aurora-fast"}
    assert {document["responseId"] for document in found} == {"1"}
    assert b"finishReason" not in sent
    # Clients of strict languages take no event without it; figures come with the charge.
    assert [set(document["usageMetadata"].values()) for document in found] == [{0}] * 4
    assert state_of(tap) == (_USED, True, True, True, None, _TEXT, len(_TEXT))
    (end,) = documents(tap.finish(Usage(input_tokens=3, output_tokens=2)))
    assert end["candidates"] == [
        {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": "STOP",
            "safetyRatings": _RATINGS,
            "index": 0,
        }
    ]
    assert end["usageMetadata"]["totalTokenCount"] == 5
    assert (end["modelVersion"], end["responseId"]) == ("aurora-fast", "1")


def test_nothing_of_the_upstream_shows() -> None:
    tap = make_tap()
    assert b"upstream" not in run(tap, _STREAM) + tap.finish(_USED)


def test_a_stream_is_read_as_events() -> None:
    reader, events = read(_STREAM)
    assert events == _EVENTS
    assert (reader.usage, reader.opening, reader.done, reader.error) == (_USED, None, True, None)


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(b"".join(_STREAM))), max_size=12), st.booleans())
def test_any_split_gives_the_same(cuts: list[int], carriage: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    whole = b"".join(_STREAM)
    if not carriage:
        whole = whole.replace(b"\r\n", b"\n")
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    tap, other = make_tap(), make_tap()
    assert run(tap, pieces) == run(other, _STREAM)
    assert state_of(tap) == state_of(other)
    assert read(pieces)[1] == _EVENTS


_ODD = [
    b"data: {}\n\n",
    b": comment\n\n",
    b'data: {"candidates":[{"content":{"parts":[{"text":1}]}}]}\n\n',
    b"data: {\n\n",
]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(_STREAM + _ODD) | st.binary(max_size=30), max_size=12))
def test_no_stream_raises(pieces: list[bytes]) -> None:
    tap = make_tap()
    documents(run(tap, pieces))
    reader, _ = read(pieces)
    assert (tap.error is None) == (reader.error is None)
    assert tap.usage == reader.usage
    assert tap.whole == reader.done


def test_a_cut_stream_is_not_whole_but_tells_what_was_used_so_far() -> None:
    tap = make_tap()
    run(tap, [*_STREAM[:3], _STREAM[3][:40]])
    assert (tap.done, tap.whole, tap.error, tap.started) == (False, False, None, True)
    assert tap.usage == Usage(input_tokens=10, output_tokens=5, reasoning_tokens=4)
    assert not read(_STREAM[:3])[0].done


def test_a_stream_whose_end_was_said_is_whole_before_it_is_closed() -> None:
    tap = make_tap()
    for piece in _STREAM:
        tap.feed(piece)
    assert (tap.done, tap.whole) == (False, True)


def test_every_candidate_has_to_end() -> None:
    tap = make_tap()
    run(tap, [event({"text": "A"}), event({"text": "B"}, index=1, finishReason="STOP")])
    assert not tap.whole
    tap = make_tap()
    run(tap, [event({"text": "A"}), event({"text": "B"}, index=1, finishReason="STOP"), event(finishReason="SAFETY")])
    assert tap.whole
    (end,) = documents(tap.finish(_USED))
    assert [(one["index"], one["finishReason"]) for one in end["candidates"]] == [(0, "SAFETY"), (1, "STOP")]


def test_a_blocked_prompt_is_a_whole_answer() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "upstream"},
        "usageMetadata": _METADATA,
    }
    pieces = [b"data: %b\n\n" % json.dumps(blocked).encode()]
    tap = make_tap()
    assert run(tap, pieces) == b""
    assert (tap.whole, tap.started) == (True, False)
    (end,) = documents(tap.finish(_USED))
    assert end["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "candidates" not in end
    assert read(pieces)[1] == [Finished(finish="content_filter")]


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"error":{"code":503,"message":"upstream","status":"UNAVAILABLE"}}\n\n',
        b'data: {"error":"boom"}\n\n',
        b"data: {\n\n",
        b"data: [1]\n\n",
        b'data: {"candidates":7}\n\n',
        b"data: \xff\n\n",
    ],
)
def test_errors_end_the_stream(bad: bytes) -> None:
    tap = make_tap()
    sent = run(tap, [*_STREAM[:2], bad, *_STREAM[2:]])
    assert isinstance(tap.error, UpstreamFailed)
    assert not tap.whole
    assert len(documents(sent)) == 2
    (failed,) = documents(tap.fail(ServiceUnavailable("Try again.")))
    assert (failed["error"]["code"], failed["error"]["status"]) == (503, "UNAVAILABLE")
    assert isinstance(read([*_STREAM[:2], bad, *_STREAM[2:]])[0].error, UpstreamFailed)


def test_an_endless_event_ends_the_stream() -> None:
    tap, reader = make_tap(max_event_bytes=2_000), ChunkReader(_REPLY, max_event_bytes=2_000)
    for one in (tap, reader):
        one.feed(b"data: " + b"x" * 3_000)
        assert one.error is not None
        assert not one.feed(_STREAM[0])


def test_silence_is_not_broken() -> None:
    assert make_tap().ping() == b""


def test_a_stream_without_usage_has_none() -> None:
    tap = make_tap()
    run(tap, [_STREAM[1].replace(b"usageMetadata", b"other"), event(finishReason="STOP")])
    assert (tap.usage, tap.whole) == (None, True)


def test_an_event_over_several_lines_is_sent_as_one() -> None:
    document = {"candidates": [{"content": {"parts": [{"text": "A\n"}]}}]}
    lines = json.dumps(document, indent=1).replace("\n", "\ndata: ")
    (found,) = documents(run(make_tap(), [f"data: {lines}\n\n".encode()]))
    assert found["candidates"][0]["content"]["parts"] == [{"text": "A\n"}]


def test_a_picture_is_content() -> None:
    picture = event({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})
    tap = make_tap()
    run(tap, [picture])
    assert (tap.started, tap.estimate_text()) == (True, "")
    assert read([picture])[1][:2] == [PartStarted(kind="text"), PartGrew("![image](data:image/png;base64,AAAA)")]


def test_signatures_of_words_come_as_thoughts_without_any() -> None:
    pieces = [
        event({"text": "A", "thoughtSignature": "c2ln"}),
        event({"text": "B"}),
        event({"text": "", "thought": True}),
    ]
    signed = PartEnded(signature="c2ln", maker="maker", redacted=True)
    assert read(pieces)[1][:6] == [
        PartStarted(kind="text"),
        PartGrew("A"),
        PartEnded(),
        PartStarted(kind="reasoning"),
        signed,
        PartStarted(kind="text"),
    ]


def answer_body(*parts: Any, **members: Any) -> bytes:
    content = {"parts": list(parts or ({"text": "Hello"}, _SIGNED)), "role": "model"}
    document = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0, "finishMessage": "upstream"}],
        "usageMetadata": _METADATA,
        "modelVersion": "upstream-model",
        "responseId": "upstream-id",
        **members,
    }
    return json.dumps(document).encode()


def test_a_plain_answer_shows_the_charged_usage_and_no_upstream() -> None:
    answer = CODEC.read_answer(_CALL, answer_body(), _REPLY)
    assert (answer.usage, answer.delivered, answer.estimate_text()) == (_USED, True, 'Hellolook{"at": 1}')
    body = json.loads(answer.body(Usage(input_tokens=7, output_tokens=2)))
    assert "upstream" not in json.dumps(body)
    assert body["candidates"] == [
        {"content": {"parts": [{"text": "Hello"}, _SIGNED], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]
    assert (body["modelVersion"], body["responseId"]) == ("aurora-fast", "1")
    assert (body["usageMetadata"]["promptTokenCount"], body["usageMetadata"]["totalTokenCount"]) == (7, 9)


def test_a_blocked_prompt_is_an_answer() -> None:
    blocked = answer_body(candidates=[], promptFeedback={"blockReason": "OTHER"})
    answer = CODEC.read_answer(_CALL, blocked, _REPLY)
    assert not answer.delivered
    assert json.loads(answer.body(_USED))["promptFeedback"] == {"blockReason": "OTHER"}
    assert CODEC.read_completion(blocked, _REPLY).finish == "content_filter"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"error":{"code":500,"message":"x"}}',
        b"{}",
        b'{"candidates":[]}',
        b'{"candidates":[{"content":{"parts":[{"text":1}]}}]}',
    ],
)
def test_what_is_no_answer_fails(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        CODEC.read_answer(_CALL, body, _REPLY)
    with pytest.raises(UpstreamFailed):
        CODEC.read_completion(body, _REPLY)
