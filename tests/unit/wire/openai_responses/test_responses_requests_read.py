"""Responses requests in the intermediate form: one test for each row of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

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
from reseller_kit.wire.openai_responses import CODEC, decode, left_out_of
from reseller_kit.wire.signatures import MARK
from tests.unit.wire.translation_table import rows_of

_USER = {"role": "user", "content": "Hello"}
_HELLO = Turn(role="user", parts=(Text(text="Hello"),))
_CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":1}'}
_OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "seen"}
_LOOK = {"type": "function", "name": "look"}
_PNG = "data:image/png;base64,AAAA"


def read(*items: dict[str, Any], **members: Any) -> Conversation:
    document = {"model": "m", "input": list(items) or [_USER], **members}
    return CODEC.to_conversation(decode(json.dumps(document).encode()))


def refused(*items: dict[str, Any], **members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*items, **members)
    return caught.value


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content)}


def part_of(*content: dict[str, Any]) -> Any:
    (turn,) = read(user(*content)).turns
    (part,) = turn.parts
    return part


def instructions() -> None:
    assert read(instructions="Be brief.").turns == (Turn(role="system", parts=(Text(text="Be brief."),)), _HELLO)


def text() -> None:
    assert read(input="Hello").turns == (_HELLO,)
    assert refused(input="").param == "input"
    assert refused(input=[]).param == "input"
    assert refused({"role": "system", "content": "A"}).param == "input"


def messages() -> None:
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "A", "annotations": []}],
    }
    declined = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}
    turns = read({"role": "developer", "content": "D"}, {"role": "system", "content": "S"}, _USER, said, declined).turns
    assert [turn.role for turn in turns] == ["system", "system", "user", "assistant"]
    assert turns[3].parts == (Text(text="A"), Text(text="No", refusal=True))
    assert refused({"role": "narrator", "content": "A"}).param == "input[0].role"
    image = {"type": "input_image", "image_url": _PNG}
    assert refused({"role": "system", "content": [image]}, _USER).param == "input[0].content"
    assert read(_USER, _USER).turns == (_HELLO, _HELLO)


def input_image() -> None:
    image = {"type": "input_image", "image_url": _PNG, "detail": "low"}
    assert part_of(image) == Media(kind="image", media_type="image/png", data="AAAA", detail="low")
    by_url = {"type": "input_image", "image_url": "https://a.example/b.png"}
    assert part_of(by_url) == Media(kind="image", url="https://a.example/b.png")
    assert refused(user({"type": "input_image", "file_id": "file-1"})).param == "input"
    assert refused(user({"type": "input_image", "image_url": "x"})).param == "input[0].content[0].image_url"


def input_file() -> None:
    inline = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,AAAA"}
    assert part_of(inline) == Media(kind="document", media_type="text/plain", data="AAAA", name="a.txt")
    bare = {"type": "input_file", "file_data": "AAAA"}
    assert part_of(bare) == Media(kind="document", media_type="application/pdf", data="AAAA")
    by_url = {"type": "input_file", "file_url": "https://a.example/b.pdf"}
    assert part_of(by_url) == Media(kind="document", url="https://a.example/b.pdf")
    assert refused(user({"type": "input_file", "file_id": "file-1"})).param == "input"


def input_audio() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    assert part_of(sound) == Media(kind="audio", media_type="audio/mpeg", data="AAAA")
    odd = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "aiff"}}
    assert refused(user(odd)).param == "input[0].content[0]"


def other_parts() -> None:
    for part in ({"type": "hologram"}, {"type": "input_text"}, {"type": "input_image"}):
        assert refused(user(part)).param == "input[0].content[0]"


def calls() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"}
    spaced = {**_CALL, "call_id": "c3", "name": "go", "namespace": "mcp__a"}
    (_, turn) = read(_USER, {"role": "assistant", "content": "A"}, _CALL, custom, spaced).turns
    assert turn.parts == (
        Text(text="A"),
        ToolCall(id="c1", name="look", arguments='{"at":1}'),
        ToolCall(id="c2", name="patch", arguments="*** Begin", custom=True),
        ToolCall(id="c3", name="mcp__a__go", arguments='{"at":1}'),
    )
    assert refused(_USER, {"type": "function_call", "name": "look"}).param == "input[1]"


def outputs() -> None:
    second = {**_CALL, "call_id": "c2"}
    image = {"type": "input_image", "image_url": _PNG}
    seen = [{"type": "input_text", "text": "seen"}, image]
    late = {"type": "custom_tool_call_output", "call_id": "c2", "output": seen}
    turns = read(_USER, _CALL, second, _OUTPUT, _USER, late, _USER).turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user", "user"]
    assert turns[2].parts == (
        ToolResult(call_id="c1", name="look", content=(Text(text="seen"),)),
        ToolResult(
            call_id="c2",
            name="look",
            content=(Text(text="seen"), Media(kind="image", media_type="image/png", data="AAAA")),
        ),
        Text(text="Hello"),
    )
    assert refused(_USER, _OUTPUT).param == "input[1].call_id"
    assert refused(_USER, _CALL, {**_OUTPUT, "output": 7}).param == "input[2].output"


def reasoning_items() -> None:
    summary = [{"type": "summary_text", "text": "Hm"}, {"type": "summary_text", "text": "So"}]
    both = {"type": "reasoning", "summary": summary, "encrypted_content": f"{MARK}a"}
    shown = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    silent = {"type": "reasoning", "summary": [], "encrypted_content": f"{MARK}b"}
    empty = {"type": "reasoning", "summary": []}
    (_, turn) = read(_USER, both, shown, silent, empty, _CALL).turns
    assert turn.parts == (
        Reasoning(text="Hm\n\nSo", signature=f"{MARK}a"),
        Reasoning(text="Hm"),
        Reasoning(text="", signature=f"{MARK}b", redacted=True),
        ToolCall(id="c1", name="look", arguments='{"at":1}'),
    )


def additional_tools() -> None:
    found = read({"type": "additional_tools", "role": "developer", "tools": [_LOOK]}, _USER)
    assert found.tools == (Tool(name="look"),)


def compaction() -> None:
    assert refused(_USER, {"type": "compaction", "encrypted_content": "x"}).param == "input[1]"


def item_reference() -> None:
    assert refused(_USER, {"type": "item_reference", "id": "msg_1"}).param == "input[1]"


def other_items() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert read(_USER, search, {"type": "compaction_trigger"}).left_out == (
        "input[1] (web_search_call)",
        "input[2] (compaction_trigger)",
    )


def function_tools() -> None:
    full = {**_LOOK, "description": "Looks.", "parameters": {"type": "object"}, "strict": True}
    (tool,) = read(tools=[full]).tools
    assert (tool.name, tool.description, tool.strict) == ("look", "Looks.", True)
    assert json.loads(bytes(tool.parameters or b"")) == {"type": "object"}
    assert refused(tools=[{"type": "function"}]).param == "tools[0].name"


def custom_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    tool = {"type": "custom", "name": "patch", "description": "Patches.", "format": grammar}
    assert read(tools=[tool]).tools == (Tool(name="patch", description="Patches.", custom=True, grammar="start: A"),)


def namespaces() -> None:
    described = {**_LOOK, "description": "Looks."}
    for name, joined in (("mcp__a", "mcp__a__look"), ("mcp__a__", "mcp__a__look")):
        space = {
            "type": "namespace",
            "name": name,
            "description": "All of A.",
            "tools": [described, {**_LOOK, "name": "go"}],
        }
        first, second = read(tools=[space]).tools
        assert (first.name, first.description, second.description) == (joined, "Looks.", "All of A.")


def untranslated_tools() -> None:
    for name in ("local_shell", "apply_patch", "tool_search", "computer"):
        assert read(tools=[{"type": name}, _LOOK]).left_out == (f"tools[0] ({name})",)
        assert refused(tools=[{"type": name}], tool_choice={"type": name}).param == "tool_choice"
        assert refused(tools=[{"type": name}], tool_choice="required").param == "tool_choice"


def hosted_tools() -> None:
    search = {"type": "web_search"}
    found = read(tools=[_LOOK, search], tool_choice="auto")
    assert (len(found.tools), found.left_out) == (1, ("tools[1] (web_search)",))
    body = json.dumps({"model": "m", "input": "x", "tools": [search]}).encode()
    assert left_out_of(decode(body)) == ("tools[0] (web_search)",)
    assert refused(tools=[search], tool_choice={"type": "web_search"}).param == "tool_choice.type"


def tool_choice() -> None:
    for mode in ("auto", "none", "required"):
        assert read(tools=[_LOOK], tool_choice=mode).tool_choice == ToolChoice(mode=mode)
    named = ToolChoice(mode="named", names=("look",))
    assert read(tools=[_LOOK], tool_choice={"type": "function", "name": "look"}).tool_choice == named
    assert read(tools=[_LOOK], tool_choice={"type": "custom", "name": "look"}).tool_choice == named
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}
    assert read(tools=[_LOOK], tool_choice=allowed).tool_choice == ToolChoice(mode="required", names=("look",))
    none = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}
    assert refused(tools=[_LOOK], tool_choice=none).param == "tool_choice"
    assert refused(tools=[_LOOK], tool_choice={"type": "function"}).param == "tool_choice"


def text_format() -> None:
    assert read(text={"format": {"type": "text"}}).output_format is None
    assert read(text={"format": {"type": "json_object"}}).output_format == OutputFormat(kind="json")
    wanted = read(text={"format": {"type": "json_schema", "name": "p", "schema": {}, "strict": True}}).output_format
    assert wanted is not None
    assert (wanted.kind, wanted.name, wanted.strict, bytes(wanted.schema or b"")) == ("schema", "p", True, b"{}")
    assert refused(text={"format": {"type": "json_schema", "name": "p"}}).param == "text.format"


def text_verbosity() -> None:
    assert read(text={"verbosity": "low"}).verbosity == "low"


def reasoning() -> None:
    assert read(reasoning={"effort": "max"}).thinking == Thinking(effort="xhigh")
    assert read(reasoning={"effort": "low", "summary": "auto"}).thinking == Thinking(effort="low", visible=True)
    assert read(reasoning={"summary": "none"}).thinking is None
    assert refused(reasoning={"effort": "endless"}).param == "reasoning.effort"
    assert refused(reasoning={"mode": "pro"}).param == "reasoning.mode"


def limits_and_sampling() -> None:
    found = read(max_output_tokens=20, temperature=0.5, top_p=0.25, parallel_tool_calls=False)
    assert (found.output_limit, found.temperature, found.top_p, found.parallel_tool_calls) == (20, 0.5, 0.25, False)


def user_id() -> None:
    assert read(user="u", safety_identifier="s").user == "u"
    assert read(safety_identifier="s").user == "s"


def log_probabilities() -> None:
    assert read(top_logprobs=2).left_out == ("top_logprobs",)
    assert read(include=["message.output_text.logprobs"]).left_out == ("include: message.output_text.logprobs",)
    assert read(top_logprobs=0).left_out == ()


def include() -> None:
    wanted = ["reasoning.encrypted_content", "web_search_call.results"]
    assert read(include=wanted).left_out == ("include: web_search_call.results",)


def truncation() -> None:
    assert read(truncation="auto").left_out == ("truncation",)
    assert read(truncation="disabled").left_out == ()


def previous_response() -> None:
    assert refused(previous_response_id="resp_1").param == "previous_response_id"


def elsewhere() -> None:
    assert refused(background=True).param == "background"
    assert refused(conversation="conv_1").param == "conversation"
    assert refused(prompt={"id": "pmpt_1"}).param == "prompt"
    assert read(background=False, conversation=None, prompt=None).left_out == ()


def own_affairs() -> None:
    assert read(store=True, metadata={"a": "b"}).left_out == ()


def unknown_leftovers() -> None:
    assert read(frobnicate=1, prompt_cache_key="k", max_tool_calls=3).left_out == (
        "frobnicate",
        "max_tool_calls",
        "prompt_cache_key",
    )


CASES: dict[str, Callable[[], None]] = {
    "instructions": instructions,
    "input: text": text,
    "input: messages": messages,
    "input: input_image": input_image,
    "input: input_file": input_file,
    "input: input_audio": input_audio,
    "input: other parts": other_parts,
    "input: function_call, custom_tool_call": calls,
    "input: outputs of calls": outputs,
    "input: reasoning": reasoning_items,
    "input: additional_tools": additional_tools,
    "input: compaction": compaction,
    "input: item_reference": item_reference,
    "input: any other item": other_items,
    "tools: function": function_tools,
    "tools: custom": custom_tools,
    "tools: namespace": namespaces,
    "tools: local_shell, shell, apply_patch, computer, tool_search": untranslated_tools,
    "tools: hosted": hosted_tools,
    "tool_choice": tool_choice,
    "text.format": text_format,
    "text.verbosity": text_verbosity,
    "reasoning": reasoning,
    "max_output_tokens, temperature, top_p, parallel_tool_calls": limits_and_sampling,
    "user, safety_identifier": user_id,
    "top_logprobs, include: message.output_text.logprobs": log_probabilities,
    "include: any other": include,
    "truncation": truncation,
    "previous_response_id": previous_response,
    "background, conversation, prompt": elsewhere,
    "store, metadata": own_affairs,
    "any other": unknown_leftovers,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Responses: requests read") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()
