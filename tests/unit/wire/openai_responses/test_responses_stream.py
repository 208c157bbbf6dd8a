"""The tap of Responses: what passes, what is rewritten, held back and metered; any split agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from reseller_kit.core.errors import (
    InsufficientCredit,
    KitError,
    RateLimited,
    ServiceUnavailable,
    UpstreamFailed,
    UpstreamRejected,
)
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.openai_responses import CODEC, decode
from reseller_kit.wire.openai_responses.stream import Tap

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
USAGE = Usage(input_tokens=2, cached_input_tokens=5, output_tokens=4, reasoning_tokens=1)
_REPORT = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 13,
}
_SDK: Any = TypeAdapter(ResponseStreamEvent)
_PLACE: dict[str, Any] = {"item_id": "msg_up", "output_index": 0, "content_index": 0}
_PIECE = {"type": "output_text", "text": "AB", "annotations": [], "logprobs": []}
_MESSAGE = {"id": "msg_up", "type": "message", "role": "assistant", "status": "completed", "content": [_PIECE]}
_CALL = {"id": "fc_up", "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}


def response(status: str, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "model": "upstream-model",
        "output": [],
        "metadata": {"upstream": "x"},
        "billing": {"payer": "upstream"},
        "prompt_cache_key": "digest",
        "safety_identifier": "upstream",
        "temperature": 0.5,
        "usage": None,
        **members,
    }


def event(kind: str, *, named: bool = True, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}).encode()
    return (f"event: {kind}\n".encode() if named else b"") + b"data: " + data + b"\n\n"


def numbered(*events: tuple[str, dict[str, Any]], **options: Any) -> list[bytes]:
    return [event(kind, sequence_number=n, **members, **options) for n, (kind, members) in enumerate(events)]


_TEXT: list[tuple[str, dict[str, Any]]] = [
    ("response.created", {"response": response("in_progress")}),
    ("response.in_progress", {"response": response("in_progress")}),
    ("response.output_item.added", {"output_index": 0, "item": {**_MESSAGE, "content": [], "status": "in_progress"}}),
    ("response.content_part.added", {**_PLACE, "part": {**_PIECE, "text": ""}}),
    ("response.output_text.delta", {**_PLACE, "delta": "A", "logprobs": [], "obfuscation": "x"}),
    ("response.output_text.delta", {**_PLACE, "delta": "B", "logprobs": []}),
    ("response.output_text.done", {**_PLACE, "text": "AB", "logprobs": []}),
    ("response.content_part.done", {**_PLACE, "part": _PIECE}),
    ("response.output_item.done", {"output_index": 0, "item": _MESSAGE}),
]
_COMPLETED = ("response.completed", {"response": response("completed", output=[_MESSAGE], usage=_REPORT)})
_GOOD = numbered(*_TEXT, _COMPLETED)


def make_tap(**members: Any) -> Tap:
    body = {"model": "aurora-fast", "stream": True, "input": "Hi", "prompt_cache_key": "k", **members}
    return Tap(decode(json.dumps(body).encode()), REPLY)


def passed(tap: Tap, *pieces: bytes) -> bytes:
    return b"".join(map(tap.feed, pieces)) + tap.end()


def events_of(out: bytes, *, typed: bool = True) -> list[dict[str, Any]]:
    """The events, each checked to bear its name and to be numbered higher than the last.

    `typed`: and to be of the SDK's shape, which knows fewer codes of errors than its users do.
    """
    found = []
    for block in out.split(b"\n\n")[:-1]:
        if block.startswith(b":"):
            continue
        name, data = block.split(b"\n")
        document = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + document["type"].encode()
        if typed:
            _SDK.validate_python(document)
        found.append(document)
    numbers = [document["sequence_number"] for document in found]
    assert numbers == sorted(set(numbers))
    return found


def test_a_good_stream_passes_in_the_storefronts_name() -> None:
    tap = make_tap(metadata={"a": "b"}, user="u")
    out = passed(tap, *_GOOD)
    assert (tap.usage, tap.started, tap.done, tap.whole, tap.error) == (
        Usage(input_tokens=9, output_tokens=4),
        True,
        True,
        True,
        None,
    )
    assert (tap.delivered_chars, tap.estimate_text()) == (2, "AB")
    events = events_of(out)
    assert [found["type"] for found in events] == [kind for kind, _ in _TEXT]
    assert (events[4]["delta"], events[4]["item_id"], events[4]["obfuscation"]) == ("A", "msg_0abc001", "x")
    assert events[8]["item"] == {**_MESSAGE, "id": "msg_0abc001"}
    (end,) = events_of(tap.finish(USAGE))
    shown = end["response"]
    assert json.loads(tap.response) == shown
    assert (end["type"], end["sequence_number"], shown["status"]) == ("response.completed", 9, "completed")
    assert (shown["id"], shown["model"], shown["created_at"]) == ("resp_0abc", "aurora-fast", 1700000000)
    assert (shown["metadata"], shown["user"], shown["prompt_cache_key"]) == ({"a": "b"}, "u", "k")
    assert (shown["temperature"], shown["store"], shown["output"]) == (0.5, True, [events[8]["item"]])
    assert shown["usage"]["input_tokens"] == 7
    assert shown["usage"]["input_tokens_details"]["cached_tokens"] == 5
    assert b"up" not in (out + tap.finish(USAGE)).replace(b"output", b"").replace(b"update", b"")


def test_finished_items_are_kept_as_the_caller_sees_them() -> None:
    tap = make_tap()
    passed(tap, *_GOOD)
    assert [json.loads(bytes(item))["id"] for item in tap.output_items] == ["msg_0abc001"]


def test_an_unusable_report_replaces_no_usable_one() -> None:
    early = event("response.in_progress", response=response("in_progress", usage=_REPORT))
    tap = make_tap()
    passed(tap, early, event("response.completed", response=response("completed", usage={"input_tokens": "x"})))
    assert (tap.whole, tap.usage) == (True, Usage(input_tokens=9, output_tokens=4, irregular=True))


def test_an_incomplete_response_is_a_good_end() -> None:
    told = response("incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=_REPORT)
    tap = make_tap()
    passed(tap, *numbered(*_TEXT, ("response.incomplete", {"response": told})))
    assert (tap.whole, tap.usage) == (True, Usage(input_tokens=9, output_tokens=4))
    (end,) = events_of(tap.finish(USAGE))
    assert (end["type"], end["response"]["incomplete_details"]) == (
        "response.incomplete",
        {"reason": "max_output_tokens"},
    )
    assert len(end["response"]["output"]) == 1


@pytest.mark.parametrize("kind", ["response.failed", "response.cancelled"])
def test_a_failed_response_is_an_error_with_its_usage(kind: str) -> None:
    told = response("failed", error={"code": "server_error", "message": "upstream says no"}, usage=_REPORT)
    tap = make_tap()
    passed(tap, *numbered(*_TEXT, (kind, {"response": told})), *_GOOD)
    assert (tap.done, tap.whole, tap.usage) == (False, False, Usage(input_tokens=9, output_tokens=4))
    assert tap.error is not None
    assert "server_error" in tap.error.reason


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            {"code": "context_length_exceeded", "message": "Your input exceeds the context window."},
            "context_length_exceeded",
        ),
        (
            {"code": "invalid_request_error", "message": "prompt is too long: 9 tokens > 5 maximum"},
            "context_length_exceeded",
        ),
        ({"code": "invalid_prompt", "message": "This prompt is against our rules."}, "invalid_prompt"),
        ({"code": "server_error", "message": "Oh no."}, None),
        ({}, None),
    ],
)
def test_a_refusal_of_the_request_itself_is_told_apart(error: dict[str, Any], code: str | None) -> None:
    told = event("response.failed", response=response("failed", error=error))
    alone = event("error", **error)
    nested = event("error", error=error)
    for piece in (told, alone, nested):
        tap, reader = make_tap(), CODEC.event_reader(REPLY)
        tap.feed(piece)
        reader.feed(piece)
        for found in (tap.error, reader.error):
            assert found is not None
            rejection = found.rejection
            assert (rejection and rejection.details[0]["code"]) == code


@pytest.mark.parametrize(
    "piece",
    [
        event("error", code="x", message="y", param=None),
        b'data: {"error":{"message":"x"}}\n\n',
        b"event: error\ndata: {}\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
        b'data: {"type":7}\n\n',
        b"data: " + b"x" * 2_000_000,
        event("response.completed", response=7),
        event("response.completed", response={"output": 7}),
        event("response.created", response=[]),
        event("response.output_item.done", item=7),
        b'data: {"type":"response.completed","response":' + b"[" * 5000 + b"\n\n",
    ],
)
def test_an_error_ends_the_stream(piece: bytes) -> None:
    tap = make_tap()
    before = b"".join(map(tap.feed, numbered(*_TEXT[:5])))
    assert passed(tap, piece, *_GOOD) == b""
    assert tap.error is not None
    assert not tap.done
    assert b"completed" not in before.replace(b'"completed_at"', b"")


def test_a_cut_stream_is_not_whole() -> None:
    tap = make_tap()
    passed(tap, *_GOOD[:6], _GOOD[6][:20])
    assert (tap.done, tap.whole, tap.error, tap.estimate_text()) == (False, False, None, "AB")


def test_a_last_event_without_its_blank_line_is_read() -> None:
    tap = make_tap()
    passed(tap, b"".join(_GOOD)[:-2])
    assert tap.whole


def test_events_of_no_known_kind_do_not_travel() -> None:
    tap = make_tap()
    out = passed(
        tap,
        event("keepalive"),
        event("response.metadata", headers={"x-upstream": "1"}),
        event("codex.rate_limits", plan="upstream"),
        b": upstream\n\n",
        b"data: [DONE]\n\n",
    )
    assert (out, tap.started, tap.error) == (b"", False, None)


def test_names_and_numbers_are_ours_where_the_upstream_has_none() -> None:
    tap = make_tap()
    out = passed(tap, *(event(kind, named=False, **members) for kind, members in [*_TEXT, _COMPLETED]))
    events = events_of(out + tap.finish(USAGE))
    assert [found["sequence_number"] for found in events] == list(range(10))


def test_numbers_that_do_not_rise_are_replaced() -> None:
    tap = make_tap()
    out = passed(tap, *(event(kind, sequence_number=0, **members) for kind, members in [*_TEXT, _COMPLETED]))
    assert len(events_of(out + tap.finish(USAGE))) == 10


def test_a_number_within_a_text_is_left_alone() -> None:
    tap = make_tap()
    text = '"sequence_number":5, "msg_up"'
    out = passed(tap, *(event("response.output_text.delta", **_PLACE, delta=text, logprobs=[]) for _ in range(2)))
    assert [found["delta"] for found in events_of(out)] == [text, text]


def test_calls_reasoning_and_custom_input_are_content() -> None:
    tap = make_tap()
    place: dict[str, Any] = {"item_id": "fc_up", "output_index": 0}
    thought: dict[str, Any] = {"item_id": "rs_up", "output_index": 1, "summary_index": 0}
    out = passed(
        tap,
        event("response.output_item.added", output_index=0, item={**_CALL, "arguments": ""}),
        event("response.function_call_arguments.delta", **place, delta="{}"),
        event("response.function_call_arguments.done", **place, arguments="{}", name="look"),
        event("response.output_item.done", output_index=0, item=_CALL),
        event("response.reasoning_summary_text.delta", **thought, delta="Hm"),
    )
    assert [found.get("item_id") for found in events_of(out)] == [
        None,
        "fc_0abc001",
        "fc_0abc001",
        None,
        "item_0abc002",
    ]
    assert (tap.started, tap.estimate_text()) == (True, "look{}Hm")


def test_a_call_begins_content_and_an_empty_item_does_not() -> None:
    tap = make_tap()
    passed(tap, *numbered(*_TEXT[:3]))
    assert not tap.started
    tap.feed(event("response.output_item.added", output_index=0, item={**_CALL, "arguments": ""}))
    assert tap.started


def test_text_of_finished_items_is_estimated_where_no_piece_came() -> None:
    tap = make_tap()
    passed(tap, event("response.output_item.done", output_index=0, item=_MESSAGE))
    assert tap.estimate_text() == "AB"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UpstreamFailed("secret"), "server_error"),
        (ServiceUnavailable("Down."), "server_is_overloaded"),
        (InsufficientCredit("Top up."), "insufficient_quota"),
        (RateLimited("Slow.", retry_after_seconds=7), "rate_limit_exceeded"),
        (UpstreamRejected("No.", http_status=400), "invalid_prompt"),
    ],
)
def test_a_stream_that_failed_says_so_in_words_that_clients_know(error: KitError, code: str) -> None:
    tap = make_tap()
    before = passed(tap, *_GOOD[:6])
    first, failed = events_of(tap.fail(error), typed=False)
    assert [first["code"], failed["response"]["error"]["code"]] == [code, code]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert first["sequence_number"] > events_of(before)[-1]["sequence_number"]
    assert "secret" not in json.dumps([first, failed])
    if isinstance(error, RateLimited):
        assert "try again in 7s" in failed["response"]["error"]["message"]


def test_a_request_too_long_for_the_model_is_told_by_its_code() -> None:
    error = UpstreamRejected("Too long.", http_status=400)
    error.details = [{"code": "context_length_exceeded", "param": None}]
    assert events_of(make_tap().fail(error), typed=False)[1]["response"]["error"]["code"] == "context_length_exceeded"


def test_a_ping_is_a_comment() -> None:
    assert make_tap().ping() == b": ping\n\n"


_KINDS = [kind for kind, _ in _TEXT] + ["response.reasoning_summary_text.delta", "response.refusal.delta", "x"]
_ANY = st.fixed_dictionaries(
    {},
    optional={
        "delta": st.text(max_size=5) | st.integers(),
        "item_id": st.sampled_from(["a", "b"]),
        "item": st.just(_MESSAGE) | st.none(),
        "sequence_number": st.integers(-1, 20),
        "response": st.just(response("in_progress")),
    },
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(_KINDS), _ANY), max_size=8), st.data())
def test_any_stream_split_anywhere_passes_alike(pairs: list[tuple[str, Any]], data: st.DataObject) -> None:
    whole = b"".join(event(kind, **members) for kind, members in pairs) + _GOOD[-1]
    tap = make_tap()
    out = passed(tap, whole)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    other = make_tap()
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert passed(other, *pieces) == out
    assert (other.usage, other.done, str(other.error)) == (tap.usage, tap.done, str(tap.error))
    assert other.estimate_text() == tap.estimate_text()
    for block in out.split(b"\n\n")[:-1]:
        json.loads(block.partition(b"\ndata: ")[2])


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_pass_without_an_exception(pieces: list[bytes]) -> None:
    for wrap in (b"%b", b"data: %b\n\n", b'data: {"type":"response.completed","response":%b}\n\n'):
        tap = make_tap()
        passed(tap, *(wrap % piece for piece in pieces))
        tap.fail(UpstreamFailed("cut"))
        tap.finish(USAGE)
