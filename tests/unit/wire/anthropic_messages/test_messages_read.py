"""Messages requests in the intermediate form: one test for each row of the table, and any request at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.anthropic_messages import CODEC, decode
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
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_USER = {"role": "user", "content": "Hello"}
_PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
_HINT = {"type": "ephemeral", "ttl": "1h"}
_TOOL = {"name": "look", "input_schema": {"type": "object"}}


def read(*messages: dict[str, Any], **members: Any) -> Conversation:
    document = {"model": "m", "max_tokens": 500, "messages": list(messages) or [_USER], **members}
    return CODEC.to_conversation(decode(json.dumps(document).encode()))


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def refused(*messages: dict[str, Any], **members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*messages, **members)
    return caught.value


def parts_of(*content: dict[str, Any]) -> tuple[Any, ...]:
    (turn,) = read(user(*content)).turns
    return turn.parts


def system() -> None:
    assert read(system="Be kind.").turns[0] == Turn(role="system", parts=(Text(text="Be kind."),))
    blocks = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=2;"},
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
    ]
    assert read(system=blocks).turns[0] == Turn(role="system", parts=(Text(text="Be kind.", cache="5m"),))
    assert [turn.role for turn in read(system=blocks[:1]).turns] == ["user"]
    assert [turn.role for turn in read(system="").turns] == ["user"]


def system_turns() -> None:
    later = {"role": "system", "content": [{"type": "text", "text": "Now be brief."}]}
    assert read(_USER, later, _USER).turns[1] == Turn(role="system", parts=(Text(text="Now be brief."),))
    assert refused({"role": "system", "content": [{"type": "image", "source": _PNG}]}).param == "messages[0].content"
    assert refused({"role": "tool", "content": "x"}).param == "messages[0].role"


def text() -> None:
    empty = {"type": "text", "text": ""}
    assert parts_of({"type": "text", "text": "A"}, empty, {"type": "text", "text": "B"}) == (
        Text(text="A"),
        Text(text="B"),
    )
    assert refused(user(empty), {"role": "user", "content": ""}).param == "messages"


def image() -> None:
    assert parts_of({"type": "image", "source": _PNG}) == (Media(kind="image", media_type="image/png", data="AAAA"),)
    by_url = {"type": "url", "url": "https://a.example/b.png"}
    assert parts_of({"type": "image", "source": by_url}) == (Media(kind="image", url="https://a.example/b.png"),)
    assert refused(user({"type": "image", "source": {"type": "file", "file_id": "f"}})).param == (
        "messages[0].content.source"
    )
    assert refused(user({"type": "image", "source": {"type": "base64"}})).param == "messages[0].content[0].source"


def document() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
    assert parts_of({"type": "document", "source": pdf, "title": "T", "context": "C"}) == (
        Text(text="C"),
        Media(kind="document", media_type="application/pdf", data="AAAA", name="T"),
    )
    plain = {"type": "text", "media_type": "text/plain", "data": "words"}
    assert parts_of({"type": "document", "source": plain, "title": "T", "context": "C"}) == (
        Text(text="T\nC\n\nwords"),
    )
    nested = {"type": "content", "content": [{"type": "text", "text": "A"}, {"type": "image", "source": _PNG}]}
    assert parts_of({"type": "document", "source": nested}) == (
        Text(text="A"),
        Media(kind="image", media_type="image/png", data="AAAA"),
    )
    assert refused(user({"type": "document", "source": {"type": "file", "file_id": "f"}})).status == 400


def search_result() -> None:
    found = {
        "type": "search_result",
        "title": "T",
        "source": "https://a.example",
        "content": [{"type": "text", "text": "A"}],
    }
    assert parts_of(found) == (Text(text="T\nhttps://a.example"), Text(text="A"))


def thinking_blocks() -> None:
    own, unsigned = mark("sig", "maker"), mark("", "maker")
    turn = assistant(
        {"type": "thinking", "thinking": "Hm", "signature": own},
        {"type": "redacted_thinking", "data": own},
        {"type": "thinking", "thinking": "Oh", "signature": unsigned},
        {"type": "text", "text": "A"},
    )
    assert read(_USER, turn).turns[1].parts == (
        Reasoning(text="Hm", signature=own),
        Reasoning(text="", signature=own, redacted=True),
        Reasoning(text="Oh"),
        Text(text="A"),
    )


def tool_use() -> None:
    signature = mark("sig", "maker")
    turn = assistant(
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
        {"type": "redacted_thinking", "data": f"call:{signature}"},
        {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}, "cache_control": _HINT},
    )
    assert read(_USER, turn).turns[1].parts == (
        ToolCall(id="toolu_1", name="look", arguments='{"at": 1}', signature=signature),
        ToolCall(id="toolu_2", name="look", arguments="{}", cache="1h"),
    )


def tool_result() -> None:
    answered = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "no"}
    shown = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "image", "source": _PNG}]}
    assert parts_of({"type": "text", "text": "A"}, answered, shown, {"type": "tool_result", "tool_use_id": "t"}) == (
        ToolResult(call_id="toolu_1", content=(Text(text="no"),), is_error=True),
        ToolResult(call_id="toolu_2", content=(Media(kind="image", media_type="image/png", data="AAAA"),)),
        ToolResult(call_id="t", content=()),
        Text(text="A"),
    )


def tool_reference() -> None:
    found = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "look"}]}
    (result,) = parts_of(found)
    assert result.content == (Text(text="The tool look can be called now."),)


def compaction() -> None:
    assert read(assistant({"type": "compaction", "content": "So far."}), _USER).turns[0].parts == (
        Text(text="So far."),
    )


def provider_blocks() -> None:
    searched = assistant(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]},
        {"type": "text", "text": "A"},
    )
    found = read(_USER, searched)
    assert found.turns[1].parts == (Text(text="A"),)
    assert found.left_out == (
        "messages[].content[server_tool_use]",
        "messages[].content[web_search_tool_result]",
    )


def citations() -> None:
    cited = {"type": "text", "text": "A", "citations": [{"type": "char_location"}]}
    assert read(_USER, assistant(cited, cited)).left_out == ("messages[].content[].citations",)
    assert read(user({"type": "text", "text": "A", "citations": None})).left_out == ()


def other_blocks() -> None:
    assert refused(user({"type": "hologram"})).param == "messages[0].content[0]"
    assert refused(user({"type": "container_upload", "file_id": "f"})).param == "messages[0].content"


def cache_control() -> None:
    hinted = {"cache_control": _HINT}
    tool = {**_TOOL, "cache_control": {"type": "ephemeral"}}
    found = read(user({"type": "text", "text": "A", **hinted}), tools=[tool], **hinted)
    assert found.turns[0].parts == (Text(text="A", cache="1h"),)
    assert found.tools[0].cache == "5m"
    assert found.left_out == ("cache_control",)


def custom_tools() -> None:
    described = {**_TOOL, "type": "custom", "description": "D", "strict": True, "defer_loading": True}
    (tool, other) = read(tools=[described, {**_TOOL, "name": "b", "input_examples": [{}]}]).tools
    assert (tool.name, tool.description, tool.strict) == ("look", "D", True)
    assert tool.parameters is not None
    assert json.loads(bytes(tool.parameters)) == {"type": "object"}
    assert isinstance(other, Tool)
    assert read(tools=[{**_TOOL, "input_examples": [{}]}]).left_out == ("tools[].input_examples",)
    assert refused(tools=[{"input_schema": {}}]).param == "tools[0].name"


def tools_of_its_own() -> None:
    for kind in ("bash_20250124", "text_editor_20250728", "computer_20251124", "memory_20250818", "browser_toolset_1"):
        assert refused(tools=[{"type": kind, "name": "x"}]).param == "tools[0].type"


def provider_tools() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    tools = [search, {"type": "tool_search_tool_regex_20251119", "name": "find"}, _TOOL]
    found = read(tools=tools, tool_choice={"type": "auto"})
    assert [tool.name for tool in found.tools] == ["look"]
    assert found.left_out == ("tools[web_search_20250305]", "tools[tool_search_tool_regex_20251119]")
    assert refused(tools=tools, tool_choice={"type": "tool", "name": "web_search"}).param == "tool_choice"
    assert read(tools=[search], tool_choice={"type": "any"}).tool_choice is None


def tool_choice() -> None:
    chosen = {
        "auto": ToolChoice(mode="auto"),
        "any": ToolChoice(mode="required"),
        "none": ToolChoice(mode="none"),
        "tool": ToolChoice(mode="named", names=("look",)),
    }
    for kind, choice in chosen.items():
        assert read(tools=[_TOOL], tool_choice={"type": kind, "name": "look"}).tool_choice == choice
    assert read(tools=[_TOOL]).parallel_tool_calls is None
    alone = read(tools=[_TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert alone.parallel_tool_calls is False
    assert refused(tools=[_TOOL], tool_choice={"type": "all"}).param == "tool_choice.type"


def thinking() -> None:
    assert read().thinking is None
    assert read(thinking={"type": "enabled", "budget_tokens": 2000}).thinking == Thinking(budget=2000, visible=True)
    assert read(thinking={"type": "adaptive"}).thinking == Thinking(budget=-1, visible=True)
    assert read(thinking={"type": "adaptive", "display": "omitted"}).thinking == Thinking(budget=-1)
    assert read(thinking={"type": "disabled"}).thinking == Thinking(budget=0)
    assert refused(thinking={"type": "deep"}).param == "thinking.type"
    assert refused(thinking={"type": "enabled"}).param == "thinking.budget_tokens"


def effort() -> None:
    assert read(output_config={"effort": "low"}).thinking == Thinking(effort="low")
    both = read(output_config={"effort": "max"}, thinking={"type": "adaptive"}).thinking
    assert both == Thinking(effort="xhigh", visible=True)
    assert refused(output_config={"effort": "huge"}).param == "output_config.effort"


def output_format() -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    for members in ({"output_config": {"format": wanted}}, {"output_format": wanted}):
        found = read(**members).output_format
        assert isinstance(found, OutputFormat)
        assert (found.kind, found.strict) == ("schema", True)
        assert json.loads(bytes(found.schema or b"")) == {"type": "object"}
    assert refused(output_format={"type": "xml"}).param == "output_config"


def limit() -> None:
    assert read(max_tokens=7).output_limit == 7
    assert refused(max_tokens=0).param == "max_tokens"


def sampling() -> None:
    found = read(temperature=0.5, top_p=0.9, top_k=5, stop_sequences=["a", "b"], stream=True)
    assert (found.temperature, found.top_p, found.top_k, found.stop) == (0.5, 0.9, 5, ("a", "b"))
    assert found.stream


def metadata() -> None:
    assert read(metadata={"user_id": "u"}).user == "u"
    assert read(metadata={}).user is None


def standard() -> None:
    assert read(service_tier="auto", speed="standard", inference_geo="global").left_out == ()


def leftovers() -> None:
    assert read(context_management={"edits": []}, frobnicate=1).left_out == ("context_management", "frobnicate")
    assert read(frobnicate=None).left_out == ()


CASES: dict[str, Callable[[], None]] = {
    "system": system,
    "messages: system": system_turns,
    "messages: text": text,
    "messages: image": image,
    "messages: document": document,
    "messages: search_result": search_result,
    "messages: thinking, redacted_thinking": thinking_blocks,
    "messages: tool_use": tool_use,
    "messages: tool_result": tool_result,
    "messages: tool_reference": tool_reference,
    "messages: compaction": compaction,
    "messages: blocks of the provider's tools": provider_blocks,
    "messages: citations": citations,
    "messages: other blocks": other_blocks,
    "cache_control": cache_control,
    "tools: custom": custom_tools,
    "tools: bash, text_editor, computer, browser, memory": tools_of_its_own,
    "tools: web_search, tool_search": provider_tools,
    "tool_choice": tool_choice,
    "thinking": thinking,
    "output_config.effort": effort,
    "output_config.format, output_format": output_format,
    "max_tokens": limit,
    "temperature, top_p, top_k, stop_sequences": sampling,
    "metadata": metadata,
    "service_tier, speed, inference_geo": standard,
    "any other": leftovers,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Messages: requests read") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KINDS = ["text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result", "x"]
_MEMBERS = {
    "text": st.text(max_size=8) | _VALUES,
    "source": st.just(_PNG) | _VALUES,
    "thinking": st.text(max_size=8),
    "signature": st.just(mark("s", "m")) | _VALUES,
    "data": st.just("call:" + mark("s", "m")) | st.text(max_size=8),
    "input": _VALUES,
    "id": st.text(max_size=8),
    "name": st.text(max_size=8),
    "tool_use_id": st.text(max_size=8),
    "cache_control": st.just(_HINT) | _VALUES,
    "is_error": st.booleans() | _VALUES,
}
_BLOCKS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(_KINDS)}, optional=_MEMBERS),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(_KINDS), "content": st.lists(inner, max_size=3) | st.text(max_size=8)},
        optional=_MEMBERS,
    ),
    max_leaves=6,
)
_MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "x"]),
        "content": st.text(max_size=8) | st.lists(_BLOCKS, max_size=3) | _VALUES,
    }
)
_OPTIONS = [
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "system",
    "metadata",
    "top_k",
    "speed",
]


@settings(max_examples=150)
@given(
    st.lists(_MESSAGES, min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(_OPTIONS) | st.text(max_size=10), _VALUES, max_size=3),
)
def test_any_request_is_read_or_refused(messages: list[dict[str, Any]], members: dict[str, Any]) -> None:
    body = json.dumps({**members, "model": "m", "max_tokens": 9, "messages": messages}).encode()
    try:
        found = CODEC.to_conversation(decode(body))
    except InvalidRequest:
        return
    for turn in found.turns:
        kinds = [isinstance(part, ToolResult) for part in turn.parts]
        assert turn.parts
        assert kinds == sorted(kinds, reverse=True)
