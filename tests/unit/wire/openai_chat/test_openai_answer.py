"""Plain answers: rewritten, metered, or refused as unusable."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.openai_chat.answer import Answer, read_answer

_REPORT = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def make_choice(message: Any = None, **members: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hi"} if message is None else message
    return {"index": 0, "message": message, "finish_reason": "stop", **members}


def make_answer(**members: Any) -> bytes:
    document = {
        "id": "chatcmpl-upstream",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "upstream-model",
        "choices": [make_choice()],
        "usage": _REPORT,
        "service_tier": "default",
        "system_fingerprint": "fp_upstream",
        "provider": "upstream",
        "x_groq": {"id": "upstream"},
        **members,
    }
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def read(body: bytes) -> Answer:
    return read_answer(body, model="aurora-fast", response_id="req_1")


def test_an_answer_bears_the_storefronts_names_and_the_charged_usage() -> None:
    answer = read(make_answer())
    assert answer.usage == Usage(input_tokens=9, output_tokens=4)
    shown = json.loads(answer.body(Usage(input_tokens=2, cached_input_tokens=5, output_tokens=4)))
    expected = ["id", "object", "created", "model", "service_tier", "choices", "usage", "system_fingerprint"]
    assert list(shown) == expected
    assert (shown["id"], shown["object"], shown["model"]) == ("req_1", "chat.completion", "aurora-fast")
    assert shown["created"] == 1700000000
    assert shown["choices"] == [make_choice()]
    assert (shown["usage"]["prompt_tokens"], shown["usage"]["total_tokens"]) == (7, 11)
    assert b"upstream" not in answer.body(Usage())


@pytest.mark.parametrize("created", [..., None, "now", 1.5, -1, 10**30, [1]])
def test_a_missing_time_is_now(created: Any) -> None:
    shown = json.loads(read(make_answer(created=created)).body(Usage()))
    assert abs(shown["created"] - time.time()) < 5


@pytest.mark.parametrize("tier", [..., None, 5, ["x"], "x" * 500])
def test_an_odd_service_tier_is_dropped(tier: Any) -> None:
    assert "service_tier" not in json.loads(read(make_answer(service_tier=tier)).body(Usage()))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": "assistant", "content": "Hi"}, "Hi"),
        ({"content": None, "reasoning_content": "Hm"}, "Hm"),
        ({"content": "", "refusal": "No"}, "No"),
        (
            {
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            "f{}",
        ),
        ({"content": None, "audio": {"id": "a", "data": "AAAA", "transcript": "Hi"}}, "Hi"),
    ],
)
def test_what_was_delivered_is_known_without_usage(message: dict[str, Any], text: str) -> None:
    answer = read(make_answer(usage=..., choices=[make_choice(message)]))
    assert answer.usage is None
    assert answer.delivered
    assert answer.estimate_text() == text


@pytest.mark.parametrize("message", [{}, {"role": "assistant", "content": ""}, {"content": None, "tool_calls": []}])
def test_a_blank_answer_delivers_nothing(message: dict[str, Any]) -> None:
    answer = read(make_answer(usage=None, choices=[make_choice(message)]))
    assert not answer.delivered
    assert answer.estimate_text() == ""


def test_usage_inside_a_choice_is_read_and_not_shown() -> None:
    answer = read(make_answer(usage=..., choices=[make_choice(usage=_REPORT)]))
    assert answer.usage == Usage(input_tokens=9, output_tokens=4)
    assert json.loads(answer.body(Usage()))["choices"] == [make_choice()]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        make_answer(choices=...),
        make_answer(choices=None),
        make_answer(choices=[]),
        make_answer(choices={}),
        make_answer(choices=[None]),
        make_answer(choices=[{"index": 0, "text": "Hi"}]),
        make_answer(choices=[make_choice(), {"message": None}]),
        make_answer(choices=[make_choice("Hi")]),
        make_answer(error={"message": "overloaded", "code": 502}),
        make_answer(choices=..., error="overloaded"),
        make_answer(choices=[make_choice(error={"code": 502})]),
        make_answer().replace(b"Hi", b"\xff"),
        b'{"choices":' + b"[" * 100_000,
    ],
)
def test_what_is_no_completion_fails_over(body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as failure:
        read(body)
    assert failure.value.upstream_status == 200
    assert failure.value.reason
    assert "overloaded" not in failure.value.message


_json = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["message", "content", "usage", "error", "index", "tool_calls"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["created", "choices", "usage", "error", "service_tier", "id", "model"]), _json))
def test_any_json_is_an_answer_or_a_failure(members: dict[str, Any]) -> None:
    try:
        answer = read(make_answer(**members))
    except UpstreamFailed:
        return
    shown = json.loads(answer.body(answer.usage or Usage()))
    assert shown["id"] == "req_1"
    assert answer.delivered or answer.estimate_text() == ""


@given(st.binary(max_size=60))
def test_any_bytes_are_a_failure(noise: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read(noise)
