"""Chat requests in the intermediate form: one test for each row of the table, and any request at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.conversation import (
    Conversation,
    Media,
    OutputFormat,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from reseller_kit.wire.openai_chat import to_conversation
from reseller_kit.wire.openai_chat.request import decode
from reseller_kit.wire.signatures import MARK
from tests.unit.wire.translation_table import rows_of

_USER = {"role": "user", "content": "Hello"}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
_CALLING = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
_PNG = "data:image/png;base64,AAAA"


def read(*messages: dict[str, Any], **members: Any) -> Conversation:
    document = {"model": "m", "messages": list(messages) or [_USER], **members}
    return to_conversation(decode(json.dumps(document).encode()))


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def refused(*messages: dict[str, Any], **members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*messages, **members)
    return caught.value


def part_of(*content: dict[str, Any]) -> Any:
    (turn,) = read(user(*content)).turns
    (part,) = turn.parts
    return part


def system_messages() -> None:
    turns = read({"role": "system", "content": "A"}, _USER, {"role": "developer", "content": "B"}).turns
    assert turns == (
        Turn(role="system", parts=(Text(text="A"),)),
        Turn(role="user", parts=(Text(text="Hello"),)),
        Turn(role="system", parts=(Text(text="B"),)),
    )
    image = {"type": "image_url", "image_url": {"url": _PNG}}
    assert refused({"role": "system", "content": [image]}, _USER).param == "messages[0].content"
    assert refused({"role": "narrator", "content": "A"}).param == "messages[0].role"


def user_text() -> None:
    turn = Turn(role="user", parts=(Text(text="A"), Text(text="B")))
    empty = {"type": "text", "text": ""}
    assert read(user({"type": "text", "text": "A"}, empty, {"type": "text", "text": "B"})).turns == (turn,)
    assert refused({"role": "user", "content": ""}).param == "messages"


def image_url() -> None:
    image = {"type": "image_url", "image_url": {"url": _PNG, "detail": "low"}}
    assert part_of(image) == Media(kind="image", media_type="image/png", data="AAAA", detail="low")
    assert part_of({"type": "image_url", "image_url": "https://a.example/b.png"}) == Media(
        kind="image", url="https://a.example/b.png"
    )
    for address in ("data:image/png,AAAA", "file:///etc/passwd", "AAAA"):
        bad = user({"type": "image_url", "image_url": {"url": address}})
        assert refused(bad).param == "messages[0].content[0].image_url"


def input_audio() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    assert part_of(sound) == Media(kind="audio", media_type="audio/mpeg", data="AAAA")
    odd = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "aiff"}}
    assert refused(user(odd)).param == "messages[0].content[0].input_audio.format"


def file() -> None:
    inline = {"filename": "a.txt", "file_data": "data:text/plain;base64,AAAA"}
    assert part_of({"type": "file", "file": inline}) == Media(
        kind="document", media_type="text/plain", data="AAAA", name="a.txt"
    )
    assert part_of({"type": "file", "file": {"file_data": "AAAA"}}) == Media(
        kind="document", media_type="application/pdf", data="AAAA"
    )
    assert refused(user({"type": "file", "file": {"file_id": "file-1"}})).param == "messages"


def video_url() -> None:
    video = {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}}
    assert part_of(video) == Media(kind="video", url="https://a.example/b.mp4")


def other_parts() -> None:
    for part in ({"type": "hologram"}, {"type": "text"}, {"type": "image_url"}):
        assert refused(user(part)).param == "messages[0].content[0]"


def assistant() -> None:
    said = {"role": "assistant", "content": "A", "refusal": "No", "reasoning_content": "Hm"}
    assert read(_USER, said).turns[1] == Turn(
        role="assistant", parts=(Reasoning(text="Hm"), Text(text="A"), Text(text="No", refusal=True))
    )
    parts = [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "No"}]
    assert read(_USER, {"role": "assistant", "content": parts}).turns[1].parts == (
        Text(text="A"),
        Text(text="No", refusal=True),
    )
    assert refused(_USER, {"role": "assistant", "audio": {"id": "audio_1"}}).param == "messages[1].audio"


def tool_calls() -> None:
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    said = {"role": "assistant", "content": "A", "tool_calls": [_CALL, custom]}
    assert read(_USER, said).turns[1].parts == (
        Text(text="A"),
        ToolCall(id="call_1", name="look", arguments='{"at":1}'),
        ToolCall(id="call_2", name="patch", arguments="*** Begin", custom=True),
    )
    nameless = {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function"}]}
    assert refused(_USER, nameless).param == "messages[1].tool_calls"


def tool_results() -> None:
    second = {**_CALL, "id": "call_2"}
    calling = {"role": "assistant", "tool_calls": [_CALL, second]}
    turns = read(_USER, calling, _RESULT, {**_RESULT, "tool_call_id": "call_2"}, _USER, _USER).turns
    seen = (Text(text="seen"),)
    assert turns[2:] == (
        Turn(
            role="user",
            parts=(
                ToolResult(call_id="call_1", name="look", content=seen),
                ToolResult(call_id="call_2", name="look", content=seen),
                Text(text="Hello"),
            ),
        ),
        Turn(role="user", parts=(Text(text="Hello"),)),
    )
    assert refused(_USER, _RESULT).param == "messages[1].tool_call_id"


def legacy_function() -> None:
    calling = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    turns = read(_USER, calling, {"role": "function", "name": "look", "content": "seen"}).turns
    assert turns[1].parts == (ToolCall(id="call_1", name="look", arguments="{}"),)
    assert turns[2].parts == (ToolResult(call_id="call_1", name="look", content=(Text(text="seen"),)),)


def reasoning_details() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm", "signature": f"{MARK}a"},
        {"type": "reasoning.encrypted", "data": f"{MARK}b"},
        {"type": "reasoning.encrypted", "data": f"{MARK}c", "id": "call_1"},
        {"type": "reasoning.summary", "summary": "unsigned"},
    ]
    said = {**_CALLING, "reasoning_content": "Hm", "reasoning_details": details}
    assert read(_USER, said).turns[1].parts == (
        Reasoning(text="Hm", signature=f"{MARK}a"),
        Reasoning(text="", signature=f"{MARK}b", redacted=True),
        ToolCall(id="call_1", name="look", arguments='{"at":1}', signature=f"{MARK}c"),
    )


def cache_control() -> None:
    marker = {"type": "ephemeral"}
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert part_of({"type": "text", "text": "A", "cache_control": hour}) == Text(text="A", cache="1h")
    assert read({**_USER, "cache_control": marker}).turns[0].parts == (Text(text="Hello", cache="5m"),)
    (result,) = read(_USER, _CALLING, {**_RESULT, "cache_control": marker}).turns[2].parts
    assert isinstance(result, ToolResult)
    assert result.cache == "5m"
    tool = {"type": "function", "function": {"name": "look"}, "cache_control": marker}
    assert read(tools=[tool]).tools == (Tool(name="look", cache="5m"),)


def tools() -> None:
    function = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": True}
    (tool,) = read(tools=[{"type": "function", "function": function}]).tools
    assert (tool.name, tool.description, tool.strict) == ("look", "Looks.", True)
    assert tool.parameters is not None
    assert json.loads(bytes(tool.parameters)) == {"type": "object"}
    assert read(functions=[{"name": "look"}]).tools == (Tool(name="look"),)
    assert refused(tools=[{"type": "function"}]).param == "tools[0]"


def custom_tools() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}}
    tool = {"type": "custom", "custom": {"name": "patch", "description": "Patches.", "format": grammar}}
    assert read(tools=[tool]).tools == (Tool(name="patch", description="Patches.", custom=True, grammar="start: A"),)


def tool_choice() -> None:
    for mode in ("auto", "none", "required"):
        assert read(tool_choice=mode).tool_choice == ToolChoice(mode=mode)
    chosen = {"type": "function", "function": {"name": "look"}}
    named = ToolChoice(mode="named", names=("look",))
    assert read(tool_choice=chosen).tool_choice == named
    assert read(tool_choice={"type": "custom", "custom": {"name": "look"}}).tool_choice == named
    assert read(function_call={"name": "look"}).tool_choice == named
    assert read(function_call="none").tool_choice == ToolChoice(mode="none")
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [chosen]}}
    assert read(tool_choice=allowed).tool_choice == ToolChoice(mode="required", names=("look",))
    assert refused(tool_choice={"type": "mcp"}).param == "tool_choice"


def parallel() -> None:
    assert read(parallel_tool_calls=False).parallel_tool_calls is False


def response_format() -> None:
    assert read(response_format={"type": "text"}).output_format is None
    assert read(response_format={"type": "json_object"}).output_format == OutputFormat(kind="json")
    schema = {"name": "point", "schema": {"type": "object"}, "strict": True}
    wanted = read(response_format={"type": "json_schema", "json_schema": schema}).output_format
    assert wanted is not None
    assert (wanted.kind, wanted.name, wanted.strict) == ("schema", "point", True)
    assert json.loads(bytes(wanted.schema or b"")) == {"type": "object"}
    assert refused(response_format={"type": "json_schema"}).param == "response_format"


def reasoning_effort() -> None:
    assert read(reasoning_effort="low").thinking == Thinking(effort="low", visible=True)
    assert read(reasoning_effort="max").thinking == Thinking(effort="xhigh", visible=True)
    assert refused(reasoning_effort="endless").param == "reasoning_effort"


def reasoning() -> None:
    assert read(reasoning={"effort": "high", "exclude": True}).thinking == Thinking(effort="high")
    assert read(reasoning={"max_tokens": 2000}).thinking == Thinking(budget=2000, visible=True)
    assert read(reasoning={"enabled": True}).thinking is None


def limits() -> None:
    assert read(max_tokens=10, max_completion_tokens=20).output_limit == 20
    assert read().output_limit is None


def sampling() -> None:
    given = {"temperature": 0.5, "top_p": 0.25, "frequency_penalty": 1.0, "presence_penalty": -1.0}
    found = read(**given, top_k=3, seed=7, stop=["A", "B"])
    assert {name: getattr(found, name) for name in given} == given
    assert (found.top_k, found.seed, found.stop, read(stop="A").stop) == (3, 7, ("A", "B"), ("A",))


def user_id() -> None:
    assert read(user="u", safety_identifier="s").user == "u"
    assert read(safety_identifier="s").user == "s"


def verbosity() -> None:
    assert read(verbosity="low").verbosity == "low"


def choices() -> None:
    assert refused(n=2).param == "n"
    assert read(n=1).left_out == ()


def log_probabilities() -> None:
    assert read(logprobs=True, top_logprobs=5).left_out == ("logprobs", "top_logprobs")
    assert read(logprobs=False).left_out == ()


def modalities() -> None:
    assert refused(modalities=["text", "audio"]).param == "modalities"
    assert read(modalities=["text"]).left_out == ()


def named_leftovers() -> None:
    found = read(
        logit_bias={"1": 2},
        prediction={"type": "content", "content": "A"},
        audio={"voice": "a"},
        metadata={"a": "b"},
        store=True,
        prompt_cache_key="k",
    )
    assert found.left_out == ("audio", "logit_bias", "metadata", "prediction", "prompt_cache_key", "store")
    assert read(metadata={}, store=False, logit_bias=None).left_out == ()


def unknown_leftovers() -> None:
    assert read(frobnicate=1).left_out == ("frobnicate",)


CASES: dict[str, Callable[[], None]] = {
    "messages: system, developer": system_messages,
    "messages: user text": user_text,
    "messages: image_url": image_url,
    "messages: input_audio": input_audio,
    "messages: file": file,
    "messages: video_url": video_url,
    "messages: other parts": other_parts,
    "messages: assistant": assistant,
    "messages: tool_calls": tool_calls,
    "messages: tool results": tool_results,
    "messages: function_call, function": legacy_function,
    "messages: reasoning_details": reasoning_details,
    "cache_control": cache_control,
    "tools, functions": tools,
    "tools: custom": custom_tools,
    "tool_choice, function_call": tool_choice,
    "parallel_tool_calls": parallel,
    "response_format": response_format,
    "reasoning_effort": reasoning_effort,
    "reasoning": reasoning,
    "max_tokens, max_completion_tokens": limits,
    "temperature, top_p, top_k, frequency_penalty, presence_penalty, seed, stop": sampling,
    "user, safety_identifier": user_id,
    "verbosity": verbosity,
    "n": choices,
    "logprobs, top_logprobs": log_probabilities,
    "modalities": modalities,
    "logit_bias, prediction, audio, metadata, store, prompt_cache_key": named_leftovers,
    "any other": unknown_leftovers,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Chat completions: requests read") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal", "video_url", "x"])},
    optional={
        "text": st.text(max_size=8),
        "image_url": st.just({"url": _PNG}) | _VALUES,
        "input_audio": st.just({"data": "AA", "format": "wav"}) | _VALUES,
        "file": st.just({"file_data": "AA"}) | _VALUES,
        "refusal": st.text(max_size=8),
        "cache_control": st.just({"type": "ephemeral", "ttl": "1h"}) | _VALUES,
    },
)
_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "x"])},
    optional={
        "content": st.text(max_size=8) | st.lists(_PARTS, max_size=3) | _VALUES,
        "tool_calls": st.just([_CALL]) | _VALUES,
        "function_call": st.just({"name": "f", "arguments": "{}"}) | _VALUES,
        "tool_call_id": st.just("call_1") | _VALUES,
        "reasoning_content": st.text(max_size=8),
        "reasoning_details": st.lists(st.fixed_dictionaries({"type": st.text(max_size=8)}), max_size=2) | _VALUES,
    },
)
_OPTIONS = ["tools", "functions", "tool_choice", "function_call", "response_format", "reasoning", "stop", "temperature"]


@settings(max_examples=100)
@given(
    st.lists(_MESSAGES, min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(_OPTIONS) | st.text(max_size=10), _VALUES, max_size=3),
)
def test_any_request_is_read_or_refused(messages: list[dict[str, Any]], members: dict[str, Any]) -> None:
    body = json.dumps({**members, "model": "m", "messages": messages}).encode()
    try:
        found = to_conversation(decode(body))
    except InvalidRequest:
        return
    for turn in found.turns:
        kinds = [isinstance(part, ToolResult) for part in turn.parts]
        assert turn.parts
        assert kinds == sorted(kinds, reverse=True)
