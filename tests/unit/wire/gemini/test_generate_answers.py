"""Answers between generateContent and the intermediate form: one test for each row of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reseller_kit.core.errors import RateLimited
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Call, Reply, Sending
from reseller_kit.wire.completion import (
    Completion,
    Event,
    Finish,
    Finished,
    PartEnded,
    PartGrew,
    PartKind,
    PartStarted,
)
from reseller_kit.wire.conversation import Media, Reasoning, Text, ToolCall
from reseller_kit.wire.gemini import CODEC, decode
from reseller_kit.wire.gemini.thoughts import marked, shown
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_REPLY = Reply(model="aurora-fast", request_id="req_1", maker="maker")
_SENDING = Sending(model="gemini-x", provider="google", maker="maker", output_limit=None, room=9)
_USED = Usage(input_tokens=10, cached_input_tokens=4, output_tokens=8, reasoning_tokens=3)
_TOOL = "is-3/x"


def call(**members: Any) -> Call:
    document = {
        "contents": [{"parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": _TOOL}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        **members,
    }
    return decode(json.dumps(document).encode(), model="aurora-fast", stream=True)


def fitted(name: str) -> str:
    conversation = CODEC.to_conversation(call())
    assert conversation.tools[0].name == name
    sent = json.loads(CODEC.from_conversation(conversation, _SENDING))
    found: str = sent["tools"][0]["functionDeclarations"][0]["name"]
    return found


def plain(*parts: Any, finish: Finish = "stop", of: Call | None = None) -> dict[str, Any]:
    completion = Completion(parts=parts, finish=finish)
    found: dict[str, Any] = json.loads(CODEC.write_completion(completion, of or call(), _REPLY, _USED))
    assert (found["modelVersion"], found["responseId"]) == ("aurora-fast", "1")
    return found


def parts(*given: Any, of: Call | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plain(*given, of=of)["candidates"][0]["content"]["parts"]
    return found


def streamed(*events: Event, of: Call | None = None) -> list[dict[str, Any]]:
    writer = CODEC.event_writer(of or call(), _REPLY)
    sent = b"".join([writer.write(event) for event in events]) + writer.finish(_USED)
    blocks = sent.split(b"\n\n")
    assert blocks.pop() == b""
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def streamed_parts(*events: Event, of: Call | None = None) -> list[dict[str, Any]]:
    return [
        part for document in streamed(*events, of=of)[:-1] for part in document["candidates"][0]["content"]["parts"]
    ]


def part(kind: PartKind, *texts: str, ended: PartEnded | None = None, **members: Any) -> list[Event]:
    return [PartStarted(kind=kind, **members), *map(PartGrew, texts), ended or PartEnded()]


def reason(finish: Finish, *given: Any, kind: PartKind | None = None) -> str:
    found: str = plain(*given, finish=finish)["candidates"][0]["finishReason"]
    events = part(kind, "No") if kind else []
    assert streamed(*events, Finished(finish=finish))[-1]["candidates"][0]["finishReason"] == found
    return found


def texts() -> None:
    assert parts(Text(text="A"), Text(text=""), Text(text="B", refusal=True)) == [{"text": "A"}, {"text": "B"}]
    assert streamed_parts(*part("text", "A", "", "B"), *part("refusal", "C")) == [
        {"text": "A"},
        {"text": "B"},
        {"text": "C"},
    ]


def thoughts() -> None:
    signed = {"thought": True, "thoughtSignature": shown("sig", "other")}
    thought = Reasoning(text="Hm", signature="sig", maker="other")
    hidden = Reasoning(text="", signature="sig", maker="other", redacted=True)
    assert parts(thought, Reasoning(text="Oh"), hidden) == [
        {"text": "Hm", **signed},
        {"text": "Oh", "thought": True},
        {"text": "", **signed},
    ]
    ended = PartEnded(signature="sig", maker="other")
    assert streamed_parts(*part("reasoning", "H", "m", ended=ended), *part("reasoning", "Oh")) == [
        {"text": "H", "thought": True},
        {"text": "m", "thought": True},
        {"text": "", **signed},
        {"text": "Oh", "thought": True},
    ]
    assert marked(shown("sig", "other")) == mark("sig", "other")
    silent = call(generationConfig={})
    assert parts(thought, Text(text="A"), of=silent) == [{"text": "A"}]
    assert streamed_parts(*part("reasoning", "H", ended=ended), of=silent) == []


def tool_calls() -> None:
    name = fitted(_TOOL)
    assert name != _TOOL
    written = {
        "functionCall": {"id": "c1", "name": _TOOL, "args": {"at": 1}},
        "thoughtSignature": shown("sig", "maker"),
    }
    given = ToolCall(id="c1", name=name, arguments='{"at": 1}', signature="sig", maker="maker")
    assert parts(given, ToolCall(id="i" * 70, name="b", arguments="[]"))[0] == written
    assert parts(ToolCall(id="c", name="b", arguments="[]"))[0]["functionCall"]["args"] == {"input": "[]"}
    ended = PartEnded(signature="sig", maker="maker")
    events = part("tool_call", '{"at"', ": 1}", ended=ended, call_id="c1", name=name)
    assert streamed_parts(*events) == [written]


def media() -> None:
    assert parts(
        Media(kind="image", media_type="image/webp", data="AAAA"), Media(kind="image", url="https://a.example/b")
    ) == [
        {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}},
        {"text": "![image](https://a.example/b)"},
    ]


def stops() -> None:
    assert {reason("stop"), reason("tool_calls"), reason("pause")} == {"STOP"}
    assert "content" not in plain()["candidates"][0]


def lengths() -> None:
    assert {reason("length"), reason("context_length")} == {"MAX_TOKENS"}


def filters() -> None:
    assert reason("content_filter") == "SAFETY"


def refusals() -> None:
    assert reason("refusal", Text(text="No", refusal=True), kind="refusal") == "STOP"
    assert reason("refusal") == "SAFETY"


def usage() -> None:
    shown_usage = plain(Text(text="A"))["usageMetadata"]
    assert (shown_usage["promptTokenCount"], shown_usage["cachedContentTokenCount"]) == (14, 4)
    assert (shown_usage["candidatesTokenCount"], shown_usage["thoughtsTokenCount"]) == (5, 3)
    found = streamed(*part("text", "A"), Finished(finish="stop"))
    assert found[-1]["usageMetadata"] == shown_usage
    assert set(found[0]["usageMetadata"].values()) == {0}


def errors() -> None:
    sent = CODEC.event_writer(call(), _REPLY).fail(RateLimited("Too many.", retry_after_seconds=3))
    found = json.loads(sent.removeprefix(b"data: "))
    assert (found["error"]["code"], found["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert found["error"]["message"].startswith("Too many.")


def silence() -> None:
    assert CODEC.event_writer(call(), _REPLY).ping() == b""


CASES: dict[str, Callable[[], None]] = {
    "texts, refusals": texts,
    "thoughts": thoughts,
    "tool calls": tool_calls,
    "media": media,
    "finish: stop, tool_calls, pause": stops,
    "finish: length, context_length": lengths,
    "finish: content_filter": filters,
    "finish: refusal": refusals,
    "usage": usage,
    "errors in a stream": errors,
    "silence": silence,
}
_ELSEWHERE = ["streams without alt=sse"]
"""Tested where they are framed: tests/unit/web/test_json_array.py."""


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("generateContent: answers") == [*CASES, *_ELSEWHERE]


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


def read(*given: Any, **members: Any) -> Completion:
    document = {
        "candidates": [{"content": {"parts": list(given)}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        **members,
    }
    return CODEC.read_completion(json.dumps(document).encode(), _REPLY)


def events_of(*documents: Any) -> tuple[list[Event], Usage | None]:
    reader = CODEC.event_reader(_REPLY)
    events = [event for one in documents for event in reader.feed(b"data: %b\n\n" % json.dumps(one).encode())]
    return events + reader.end(), reader.usage


def read_text() -> None:
    assert read({"text": "Hm", "thought": True}, {"text": ""}, {"text": "A"}).parts == (
        Reasoning(text="Hm"),
        Text(text="A"),
    )


def read_signature() -> None:
    called = {"functionCall": {"name": "look", "id": "x"}, "thoughtSignature": "s2"}
    thought = {"text": "Hm", "thought": True, "thoughtSignature": "s3"}
    assert read({"text": "A", "thoughtSignature": "s1"}, called, thought).parts == (
        Text(text="A"),
        Reasoning(text="", signature="s1", maker="maker", redacted=True),
        ToolCall(id="x", name="look", arguments="{}", signature="s2", maker="maker"),
        Reasoning(text="Hm", signature="s3", maker="maker"),
    )


def read_call() -> None:
    found = read({"functionCall": {"name": "look", "args": {"at": 1}}}, {"functionCall": {"name": "find", "id": "x"}})
    assert found.parts == (
        ToolCall(id="call_1_0", name="look", arguments='{"at": 1}'),
        ToolCall(id="x", name="find", arguments="{}"),
    )
    assert found.finish == "tool_calls"


def read_media() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert read(picture).parts == (Media(kind="image", media_type="image/png", data="AAAA"),)
    events, _ = events_of({"candidates": [{"content": {"parts": [picture]}}]})
    assert events[1] == PartGrew("![image](data:image/png;base64,AAAA)")


def read_others() -> None:
    assert read({"executableCode": {}}, {"codeExecutionResult": {}}).parts == ()


def read_finish() -> None:
    for said, finish in {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "MALFORMED_FUNCTION_CALL": "stop",
        None: "stop",
    }.items():
        assert read(candidates=[{"content": {}, "finishReason": said}]).finish == finish


def read_feedback() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    assert read(candidates=None, **blocked).finish == "content_filter"
    assert events_of(blocked)[0] == [Finished(finish="content_filter")]


def read_usage() -> None:
    assert read({"text": "A"}).usage == Usage(input_tokens=3, output_tokens=2)
    reports = [{"promptTokenCount": 3, "candidatesTokenCount": n, "totalTokenCount": 3 + n} for n in (1, 5)]
    _, used = events_of(*({"usageMetadata": report} for report in reports), {"usageMetadata": {}})
    assert used == Usage(input_tokens=3, output_tokens=5)


READ: dict[str, Callable[[], None]] = {
    "text": read_text,
    "thoughtSignature": read_signature,
    "functionCall": read_call,
    "inlineData": read_media,
    "other parts": read_others,
    "finishReason": read_finish,
    "promptFeedback": read_feedback,
    "usageMetadata": read_usage,
}


def test_every_row_of_what_is_read_has_a_test() -> None:
    assert rows_of("generateContent: answers read") == list(READ)


@pytest.mark.parametrize("row", READ)
def test_row_of_what_is_read(row: str) -> None:
    READ[row]()
