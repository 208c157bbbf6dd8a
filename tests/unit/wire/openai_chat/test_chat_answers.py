"""Plain answers of chat upstreams read, and answers for chat callers written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Completion
from reseller_kit.wire.conversation import Media, Part, Reasoning, Text, ToolCall
from reseller_kit.wire.openai_chat import read_completion, write_completion
from reseller_kit.wire.openai_chat.request import decode
from reseller_kit.wire.signatures import unmark

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
USAGE = Usage(input_tokens=9, output_tokens=4)
_REPORT = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def read(message: dict[str, Any], reason: str | None = "stop", **members: Any) -> Completion:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return read_completion(json.dumps({"choices": [choice], "usage": _REPORT, **members}).encode(), REPLY)


def written(*parts: Part, finish: Any = "stop", **members: Any) -> dict[str, Any]:
    body = {"model": "aurora-fast", "messages": [{"role": "user", "content": "Hi"}], **members}
    completion = Completion(parts=parts, finish=finish, usage=None)  # type: ignore[arg-type]
    found: dict[str, Any] = json.loads(write_completion(completion, decode(json.dumps(body).encode()), REPLY, USAGE))
    return found


def test_text_thoughts_refusal_and_calls_are_read() -> None:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}},
        {"type": "function", "function": {"name": "look", "arguments": {"at": 2}}},
        {"id": "call_3", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
    ]
    message = {"content": "A", "reasoning_content": "Hm", "refusal": "No", "tool_calls": calls}
    found = read(message, "tool_calls")
    assert found == Completion(
        parts=(
            Reasoning(text="Hm"),
            Text(text="A"),
            Text(text="No", refusal=True),
            ToolCall(id="call_1", name="look", arguments='{"at":1}'),
            ToolCall(id="call_0abc_1", name="look", arguments='{"at":2}'),
            ToolCall(id="call_3", name="patch", arguments="*** Begin", custom=True),
        ),
        finish="tool_calls",
        usage=USAGE,
    )


def test_content_in_parts_is_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    found = read({"content": [thinking, {"type": "text", "text": "A"}]})
    assert found.parts == (Reasoning(text="Hm"), Text(text="A"))


@pytest.mark.parametrize(
    ("reason", "message", "finish"),
    [
        ("stop", {"content": "A"}, "stop"),
        (None, {"content": "A"}, "stop"),
        ("odd", {"content": "A"}, "stop"),
        ("length", {"content": "A"}, "length"),
        ("content_filter", {"content": ""}, "content_filter"),
        ("stop", {"refusal": "No"}, "refusal"),
        ("stop", {"function_call": {"name": "f", "arguments": "{}"}}, "tool_calls"),
        ("function_call", {"function_call": {"name": "f", "arguments": "{}"}}, "tool_calls"),
    ],
)
def test_reasons_to_finish_are_read(reason: str | None, message: dict[str, Any], finish: str) -> None:
    assert read(message, reason).finish == finish


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":{"content":"A"},"error":{"message":"x"}}]}',
        b'{"error":{"message":"x"}}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":' + b"[" * 5000,
    ],
)
def test_what_is_no_completion_failed(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read_completion(body, REPLY)


@given(st.binary(max_size=60))
def test_any_body_is_read_or_failed(body: bytes) -> None:
    for text in (body, b'{"choices":[{"message":' + body + b"}]}"):
        with contextlib.suppress(UpstreamFailed):
            read_completion(text, REPLY)


def test_an_answer_bears_the_storefronts_names_and_the_charged_usage() -> None:
    found = written(Text(text="A"))
    assert list(found) == ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]
    assert (found["id"], found["object"], found["model"]) == ("chatcmpl-0abc", "chat.completion", "aurora-fast")
    assert found["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert found["usage"]["total_tokens"] == 13


def test_thoughts_are_shown_with_marked_signatures() -> None:
    found = written(
        Reasoning(text="Hm", signature="a", maker="maker"),
        Reasoning(text="", signature="b", maker="maker", redacted=True),
        ToolCall(id="call_1", name="look", arguments="", signature="c", maker="maker"),
    )
    message = found["choices"][0]["message"]
    assert message["reasoning_content"] == "Hm"
    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"
    first, second, third = message["reasoning_details"]
    assert (first["text"], unmark(first["signature"], "maker")) == ("Hm", "a")
    assert (unmark(second["data"], "maker"), unmark(third["data"], "maker"), third["id"]) == ("b", "c", "call_1")


def test_a_custom_tool_gets_its_text_back() -> None:
    tool = {"type": "custom", "custom": {"name": "patch"}}
    for custom, arguments in ((False, '{"input":"*** Begin"}'), (True, "*** Begin"), (False, "*** Begin")):
        call = ToolCall(id="call_1", name="patch", arguments=arguments, custom=custom)
        (shown,) = written(call, finish="tool_calls", tools=[tool])["choices"][0]["message"]["tool_calls"]
        assert shown == {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}


def test_a_caller_of_functions_gets_a_function_call() -> None:
    call = ToolCall(id="call_1", name="look", arguments="{}")
    choice = written(call, finish="tool_calls", functions=[{"name": "look"}])["choices"][0]
    assert choice["message"]["function_call"] == {"name": "look", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_images_are_shown() -> None:
    message = written(Media(kind="image", media_type="image/png", data="AAAA"))["choices"][0]["message"]
    assert message["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "stop"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
        ("pause", "stop"),
        ("context_length", "length"),
    ],
)
def test_reasons_to_finish_are_written(finish: str, reason: str) -> None:
    assert written(Text(text="A"), finish=finish)["choices"][0]["finish_reason"] == reason


def test_a_refusal_in_words_is_shown_as_such() -> None:
    choice = written(Text(text="No", refusal=True), finish="refusal")["choices"][0]
    assert (choice["message"]["refusal"], choice["finish_reason"]) == ("No", "stop")
