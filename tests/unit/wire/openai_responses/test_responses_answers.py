"""Plain answers of Responses: passed on, read into the intermediate form, and written out of it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from reseller_kit.core.errors import UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Answer, Completion
from reseller_kit.wire.conversation import Media, Part, Reasoning, Text, ToolCall
from reseller_kit.wire.openai_responses import CODEC, decode
from reseller_kit.wire.signatures import unmark

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
USAGE = Usage(input_tokens=2, cached_input_tokens=5, output_tokens=4)
_REPORT = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
_TEXT = {"type": "output_text", "text": "A", "annotations": []}
_MESSAGE = {"id": "msg_up", "type": "message", "role": "assistant", "status": "completed", "content": [_TEXT]}
_THOUGHT = {
    "id": "rs_up",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Hm"}, {"type": "summary_text", "text": "So"}],
    "encrypted_content": "sig",
}
_CALL = {"id": "fc_up", "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
_CUSTOM = {"id": "ctc_up", "type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"}


def make_answer(*items: dict[str, Any], **members: Any) -> bytes:
    document = {
        "id": "resp_up",
        "object": "response",
        "created_at": 1700000000,
        "model": "upstream-model",
        "status": "completed",
        "error": None,
        "output": list(items) or [_MESSAGE],
        "usage": _REPORT,
        "metadata": {"upstream": "x"},
        "billing": {"payer": "upstream"},
        **members,
    }
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def call_of(**members: Any) -> Any:
    return decode(json.dumps({"model": "aurora-fast", "input": "Hi", **members}).encode())


def read(body: bytes) -> Answer:
    return CODEC.read_answer(call_of(metadata={"a": "b"}), body, REPLY)


def test_an_answer_bears_the_storefronts_names_and_the_charged_usage() -> None:
    answer = read(make_answer(_THOUGHT, _MESSAGE, _CALL))
    assert (answer.usage, answer.delivered) == (Usage(input_tokens=9, output_tokens=4), True)
    assert answer.estimate_text() == "Hm\n\nSoAlook{}"
    shown = json.loads(answer.body(USAGE))
    Response.model_validate(shown)
    assert (shown["id"], shown["model"], shown["created_at"]) == ("resp_0abc", "aurora-fast", 1700000000)
    assert [item["id"] for item in shown["output"]] == ["rs_0abc001", "msg_0abc002", "fc_0abc003"]
    assert (shown["metadata"], shown["usage"]["total_tokens"]) == ({"a": "b"}, 11)
    assert b"up" not in answer.body(USAGE).replace(b"output", b"")


def test_an_incomplete_answer_says_why() -> None:
    why = {"reason": "max_output_tokens"}
    shown = json.loads(read(make_answer(status="incomplete", incomplete_details=why)).body(USAGE))
    assert (shown["status"], shown["incomplete_details"]) == ("incomplete", why)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        make_answer(status=...),
        make_answer(status="failed"),
        make_answer(status="in_progress"),
        make_answer(error={"code": "x", "message": "y"}),
        make_answer(output=7),
        make_answer(output=[7]),
        b'{"status":"completed","output":["\xff"]}',
        b'{"status":' + b"[" * 5000,
    ],
)
def test_what_is_no_finished_response_failed(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read(body)
    with pytest.raises(UpstreamFailed):
        CODEC.read_completion(body, REPLY)


def test_an_answer_without_items_or_report_is_none_of_content() -> None:
    answer = read(make_answer(output=[], usage=None))
    assert (answer.delivered, answer.usage) == (False, None)


@given(st.binary(max_size=60))
def test_any_body_is_read_or_failed(body: bytes) -> None:
    for whole in (body, b'{"status":"completed","output":' + body + b"}"):
        for reading in (read, lambda text: CODEC.read_completion(text, REPLY)):
            with contextlib.suppress(UpstreamFailed):
                reading(whole)


def test_items_are_read_as_parts() -> None:
    refusal = {**_MESSAGE, "content": [_TEXT, {"type": "refusal", "refusal": "No"}]}
    silent = {"id": "rs_up", "type": "reasoning", "summary": [], "encrypted_content": "sig"}
    spoken = {"id": "rs_up", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    search = {"id": "ws_up", "type": "web_search_call", "status": "completed"}
    found = CODEC.read_completion(make_answer(_THOUGHT, silent, spoken, search, refusal, _CALL, _CUSTOM), REPLY)
    assert found == Completion(
        parts=(
            Reasoning(text="Hm\n\nSo", signature="sig", maker="maker"),
            Reasoning(text="", signature="sig", maker="maker", redacted=True),
            Reasoning(text="Hm"),
            Text(text="A"),
            Text(text="No", refusal=True),
            ToolCall(id="c1", name="look", arguments="{}"),
            ToolCall(id="c2", name="patch", arguments="*** Begin", custom=True),
        ),
        finish="tool_calls",
        usage=Usage(input_tokens=9, output_tokens=4),
    )


@pytest.mark.parametrize(
    ("members", "finish"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"output": [{**_MESSAGE, "content": [{"type": "refusal", "refusal": "No"}]}]}, "refusal"),
    ],
)
def test_reasons_to_finish_are_read(members: dict[str, Any], finish: str) -> None:
    assert CODEC.read_completion(make_answer(**members), REPLY).finish == finish


def written(*parts: Part, finish: Any = "stop", **members: Any) -> dict[str, Any]:
    completion = Completion(parts=parts, finish=finish, usage=None)  # type: ignore[arg-type]
    shown: dict[str, Any] = json.loads(CODEC.write_completion(completion, call_of(**members), REPLY, USAGE))
    Response.model_validate(shown)
    return shown


def test_parts_are_written_as_items() -> None:
    go = {"type": "function", "name": "go", "parameters": {}, "strict": False}
    namespace = {"type": "namespace", "name": "mcp__a", "description": "A.", "tools": [go]}
    tools = [{"type": "custom", "name": "patch"}, namespace]
    shown = written(
        Reasoning(text="Hm", signature="sig", maker="maker"),
        Text(text="A"),
        Text(text="No", refusal=True),
        ToolCall(id="c1", name="mcp__a__go", arguments=""),
        ToolCall(id="c2", name="patch", arguments='{"input":"*** Begin"}'),
        Media(kind="image", media_type="image/png", data="AAAA"),
        tools=tools,
    )
    thought, text, refusal, call, custom, image = shown["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm"}]
    assert unmark(thought["encrypted_content"], "maker") == "sig"
    assert text["content"][0]["text"] == "A"
    assert refusal["content"][0]["refusal"] == "No"
    assert (call["name"], call["namespace"], call["arguments"]) == ("go", "mcp__a", "{}")
    assert (custom["type"], custom["name"], custom["input"]) == ("custom_tool_call", "patch", "*** Begin")
    assert "data:image/png;base64,AAAA" in image["content"][0]["text"]
    assert len({item["id"] for item in shown["output"]}) == 6
    assert (shown["status"], shown["usage"]["total_tokens"], shown["tools"]) == ("completed", 11, tools)


@pytest.mark.parametrize(
    ("finish", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("pause", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("context_length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("refusal", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_reasons_to_finish_are_written(finish: str, status: str, why: Any) -> None:
    shown = written(Text(text="A"), finish=finish)
    assert (shown["status"], shown["incomplete_details"]) == (status, why)


def test_a_refusal_in_words_completes_the_response() -> None:
    assert written(Text(text="No", refusal=True), finish="refusal")["status"] == "completed"
