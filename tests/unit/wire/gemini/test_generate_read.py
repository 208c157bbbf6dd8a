"""generateContent requests in the intermediate form: one test for each row of the table, and any request at all."""

from __future__ import annotations

import base64
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
    MediaKind,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from reseller_kit.wire.gemini import CODEC, decode
from reseller_kit.wire.gemini.thoughts import SKIP, shown
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_USER = {"role": "user", "parts": [{"text": "Hello"}]}
_PNG = {"mimeType": "image/png", "data": "AAAA"}
_LOOK = {"name": "look", "parametersJsonSchema": {"type": "object"}}
_TOOLS = [{"functionDeclarations": [_LOOK]}]


def read(*contents: dict[str, Any], **members: Any) -> Conversation:
    document = {"contents": list(contents) or [_USER], **members}
    return CODEC.to_conversation(decode(json.dumps(document).encode(), model="m", stream=False))


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def refused(*contents: dict[str, Any], **members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*contents, **members)
    return caught.value


def configured(**config: Any) -> Conversation:
    return read(generationConfig=config)


def parts_of(*parts: dict[str, Any]) -> tuple[Any, ...]:
    (turn,) = read(user(*parts)).turns
    return turn.parts


def called(name: str, call_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {"at": 1}, **({"id": call_id} if call_id else {})}, **more}


def answered(name: str, response: Any, call_id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **({"id": call_id} if call_id else {}), **more}}


def result_of(response: Any, **more: Any) -> ToolResult:
    found = read(_USER, model(called("look", "c")), user(answered("look", response, "c", **more))).turns[2].parts[0]
    assert isinstance(found, ToolResult)
    return found


def system() -> None:
    words = Turn(role="system", parts=(Text(text="Be kind."),))
    for spelling in ("systemInstruction", "system_instruction"):
        assert read(**{spelling: {"parts": [{"text": "Be kind."}], "role": "user"}}).turns[0] == words
        assert read(**{spelling: {"parts": {"text": "Be kind."}}}).turns[0] == words
    assert read(systemInstruction={"parts": [{"text": ""}]}).turns[0].role == "user"
    assert refused(systemInstruction={"parts": [{"inlineData": _PNG}]}).param == "systemInstruction"


def roles() -> None:
    assert [turn.role for turn in read({"parts": [{"text": "A"}]}, model({"text": "B"}), _USER).turns] == [
        "user",
        "assistant",
        "user",
    ]
    later = {"role": "function", "parts": [answered("look", {"output": "x"})]}
    assert read(_USER, model(called("look")), later).turns[2].role == "user"
    assert read(_USER, user({"text": "B"})).turns == (Turn(role="user", parts=(Text(text="Hello"), Text(text="B"))),)
    assert refused({"role": "system", "parts": [{"text": "A"}]}).param == "contents[0].role"


def text() -> None:
    assert parts_of({"text": "A"}, {"text": ""}, {"text": "B"}) == (Text(text="A"), Text(text="B"))
    assert read({"parts": {"text": "A"}}).turns[0].parts == (Text(text="A"),)
    assert refused(user({"text": ""})).param == "contents"


def inline_data() -> None:
    kinds: dict[MediaKind, str] = {
        "image": "image/png",
        "audio": "audio/wav",
        "video": "video/mp4",
        "document": "application/pdf",
    }
    for kind, media_type in kinds.items():
        expected = (Media(kind=kind, media_type=media_type, data="AAAA"),)
        assert parts_of({"inlineData": {"mimeType": media_type, "data": "AAAA"}}) == expected
        assert parts_of({"inline_data": {"mime_type": f"{media_type.upper()};x=y", "data": "AAAA"}}) == expected
    assert parts_of({"inlineData": {"mimeType": "image/png", "data": "-_-_AA"}})[0].data == "+/+/AA=="


def file_data() -> None:
    url = "https://a.example/b.pdf?c=d"
    for part in (
        {"fileData": {"fileUri": url, "mimeType": "application/pdf"}},
        {"file_data": {"file_uri": url, "mime_type": "application/pdf"}},
    ):
        assert parts_of(part) == (Media(kind="document", media_type="application/pdf", url=url),)
    film = "https://www.youtube.com/watch?v=x"
    assert parts_of({"fileData": {"fileUri": film}}) == (Media(kind="video", url=film),)
    stored = (
        "files/abc",
        "gs://bucket/x",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://a:b@generativelanguage.googleapis.com/v1beta/files/abc",
        "",
    )
    for uri in stored:
        assert refused(user({"fileData": {"fileUri": uri}})).param == "contents[0].parts[0].fileData"
        hidden = {"fileData": {"fileUri": url, "file_uri": uri}}
        assert refused(user(hidden if uri else {"fileData": {}})).status == 400
    nested = answered("look", {}, parts=[{"file_data": {"file_uri": "files/abc"}}])
    assert "functionResponse" in (refused(_USER, model(called("look")), user(nested)).param or "")


def thoughts() -> None:
    own = mark("sig", "maker")
    turn = model(
        {"text": "Hm", "thought": True, "thoughtSignature": shown("sig", "maker")},
        {"text": "Oh", "thought": True},
        {"text": "", "thought": True},
        {"text": "", "thought": True, "thought_signature": shown("sig", "maker")},
        {"text": "A"},
    )
    assert read(_USER, turn).turns[1].parts == (
        Reasoning(text="Hm", signature=own),
        Reasoning(text="Oh"),
        Reasoning(text="", signature=own, redacted=True),
        Text(text="A"),
    )


def signatures() -> None:
    url_safe = base64.urlsafe_b64encode(base64.b64decode(shown("s??>>", "maker"))).decode().rstrip("=")
    turn = model(
        {"text": "A", "thoughtSignature": url_safe},
        called("look", "c1", thoughtSignature=shown("sig", "maker")),
        called("look", "c2", thoughtSignature="QUFB"),
        called("look", "c3", thoughtSignature=SKIP),
        {"thoughtSignature": "QUFB"},
    )
    found = read(_USER, turn).turns[1].parts
    assert found == (
        Text(text="A"),
        Reasoning(text="", signature=mark("s??>>", "maker"), redacted=True),
        ToolCall(id="c1", name="look", arguments='{"at": 1}', signature=mark("sig", "maker")),
        ToolCall(id="c2", name="look", arguments='{"at": 1}', signature="QUFB"),
        ToolCall(id="c3", name="look", arguments='{"at": 1}'),
        Reasoning(text="", signature="QUFB", redacted=True),
    )


def function_call() -> None:
    for spelling in ("functionCall", "function_call"):
        turn = model({spelling: {"name": "look", "args": {"at": 1}}}, {spelling: {"name": "look", "id": "x"}})
        assert read(_USER, turn).turns[1].parts == (
            ToolCall(id="call_1", name="look", arguments='{"at": 1}'),
            ToolCall(id="x", name="look", arguments="{}"),
        )
    assert refused(_USER, model({"functionCall": {}})).param == "contents[1].parts[0]"


def function_response() -> None:
    calls = model(called("look"), called("find"), called("look"))
    results = user(
        {"text": "So:"},
        answered("find", {"output": "f"}),
        answered("look", {"output": "l1"}),
        answered("look", {"output": "l2"}),
    )
    assert read(_USER, calls, results).turns[2].parts == (
        ToolResult(call_id="call_2", name="find", content=(Text(text="f"),)),
        ToolResult(call_id="call_1", name="look", content=(Text(text="l1"),)),
        ToolResult(call_id="call_3", name="look", content=(Text(text="l2"),)),
        Text(text="So:"),
    )
    crossed = user(answered("look", {"output": "2"}, "b"), answered("look", {"output": "1"}, "a"))
    found = read(_USER, model(called("look", "a"), called("look", "b")), crossed).turns[2].parts
    assert [part.call_id for part in found if isinstance(part, ToolResult)] == ["b", "a"]
    assert refused(_USER, model(called("look")), user(answered("find", {}))).param == "contents[2].parts[0]"
    assert refused(_USER, model(answered("look", {}))).param == "contents[1].parts[0]"
    for response in ({"output": "x"}, {"result": "x"}, {"name": "look", "content": "x"}):
        assert result_of(response).content == (Text(text="x"),)
    assert result_of({"error": "no"}) == ToolResult(call_id="c", name="look", content=(Text(text="no"),), is_error=True)
    assert result_of({"error": {"a": 1}}).content == (Text(text='{"a":1}'),)
    assert result_of({"output": {"a": 1}}).content == (Text(text='{"output": {"a": 1}}'),)
    assert result_of({}).content == ()
    assert result_of({"output": "x"}, parts=[{"inlineData": _PNG}]).content == (
        Text(text="x"),
        Media(kind="image", media_type="image/png", data="AAAA"),
    )


def other_parts() -> None:
    turn = model({"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, {"text": "A"})
    found = read(_USER, turn)
    assert found.turns[1].parts == (Text(text="A"),)
    assert found.left_out == ("contents[1].parts[0]", "contents[1].parts[1]")


def function_declarations() -> None:
    own = {
        "type": 6,
        "property_ordering": ["a"],
        "required": ["a"],
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x"]},
            "type": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "minItems": "1"},
            "c": {"anyOf": [{"type": 2}, {"type": "BOOLEAN"}], "nullable": True},
        },
    }
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "type": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1},
            "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]},
        },
    }
    declared = [
        {"name": "a", "description": "D", "parameters": own, "behavior": "BLOCKING"},
        {"name": "b", "parameters_json_schema": {"type": "object", "$defs": {"x_y": {}}}},
        {"name": "c"},
    ]
    for spelling in ("functionDeclarations", "function_declarations"):
        found = read(tools=[{spelling: declared}])
        a, b, c = found.tools
        assert (a.name, a.description) == ("a", "D")
        assert json.loads(bytes(a.parameters or b"")) == schema
        assert json.loads(bytes(b.parameters or b"")) == {"type": "object", "$defs": {"x_y": {}}}
        assert c.parameters is None
        assert found.left_out == ("tools[0].functionDeclarations.behavior",)
    assert read(tools={"functionDeclarations": [_LOOK]}).tools[0].name == "look"
    assert refused(tools=[{"functionDeclarations": [{}]}]).param == "tools[0].functionDeclarations.name"
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"items": deep}
    assert refused(tools=[{"functionDeclarations": [{"name": "a", "parameters": deep}]}]).status == 400
    broken = {"functionDeclarations": [{"name": "a", "parameters": {"nullable": True, "anyOf": 3}}]}
    assert refused(tools=[broken]).param == "tools[0].functionDeclarations.parameters"


def computer_use() -> None:
    found = read(tools=[{"computerUse": {}}, *_TOOLS])
    assert found.left_out == ("tools[].computerUse",)
    assert [tool.name for tool in found.tools] == ["look"]


def hosted() -> None:
    tools = [{"googleSearch": {}, **_TOOLS[0]}, {"url_context": {}}, {"codeExecution": None}]
    found = read(tools=tools)
    assert [tool.name for tool in found.tools] == ["look"]
    assert found.left_out == ("tools[0].googleSearch", "tools[1].url_context")
    forced = {"functionCallingConfig": {"mode": "ANY"}}
    assert read(tools=tools, toolConfig=forced).tool_choice == ToolChoice(mode="required")
    assert refused(tools=[{"googleSearch": {}}], toolConfig=forced).param == "tools[0].googleSearch"


def tool_config() -> None:
    chosen = {
        1: ToolChoice(mode="auto"),
        2: ToolChoice(mode="required"),
        3: ToolChoice(mode="none"),
        "AUTO": ToolChoice(mode="auto"),
        "VALIDATED": ToolChoice(mode="auto"),
        "ANY": ToolChoice(mode="required"),
        "NONE": ToolChoice(mode="none"),
    }
    for mode, choice in chosen.items():
        assert read(tools=_TOOLS, toolConfig={"functionCallingConfig": {"mode": mode}}).tool_choice == choice
        assert read(tools=_TOOLS, tool_config={"function_calling_config": {"mode": mode}}).tool_choice == choice
        assert read(toolConfig={"functionCallingConfig": {"mode": mode}}).tool_choice is None
    two = [{"functionDeclarations": [_LOOK, {**_LOOK, "name": "find"}]}]
    for spelling in ("allowedFunctionNames", "allowed_function_names"):
        named = {"functionCallingConfig": {"mode": "ANY", spelling: ["look"]}}
        assert read(tools=two, toolConfig=named).tool_choice == ToolChoice(mode="named", names=("look",))
    both = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look", "find"]}}
    assert read(tools=two, toolConfig=both).tool_choice == ToolChoice(mode="required", names=("look", "find"))
    assert read(tools=_TOOLS).tool_choice is None
    assert refused(tools=_TOOLS, toolConfig=both).param == "toolConfig.functionCallingConfig.allowedFunctionNames"
    for odd in ("SOME", 5):
        given = {"functionCallingConfig": {"mode": odd}}
        assert refused(tools=_TOOLS, toolConfig=given).param == "toolConfig.functionCallingConfig.mode"
    assert read(tools=_TOOLS, toolConfig={"functionCallingConfig": {"mode": 0}}).tool_choice is None


def output_format() -> None:
    assert configured(responseMimeType="text/plain").output_format is None
    anything = configured(response_mime_type="application/json").output_format
    assert anything is not None
    assert anything.kind == "json"
    for config in (
        {"responseSchema": {"type": "OBJECT", "propertyOrdering": []}},
        {"response_schema": {"type": "OBJECT"}},
        {"responseJsonSchema": {"type": "object"}},
        {"response_json_schema": {"type": "object"}},
    ):
        found = configured(responseMimeType="application/json", **config).output_format
        assert found is not None
        assert found.kind == "schema"
        assert json.loads(bytes(found.schema or b"")) == {"type": "object"}
    for other in ("text/x.enum", "text/html"):
        assert refused(generationConfig={"responseMimeType": other}).param == "generationConfig.responseMimeType"


def thinking() -> None:
    wanted = {"thinkingBudget": 128, "includeThoughts": True}
    assert configured(thinkingConfig=wanted).thinking == Thinking(budget=128, visible=True)
    snake = {"thinking_budget": 0, "include_thoughts": False}
    assert configured(thinking_config=snake).thinking == Thinking(budget=0)
    assert configured(thinkingConfig={"thinkingLevel": "LOW"}).thinking == Thinking(effort="low")
    assert configured(thinkingConfig={"thinking_level": "minimal"}).thinking == Thinking(effort="minimal")
    unsaid = {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": -1}
    assert configured(thinkingConfig=unsaid).thinking == Thinking(budget=-1)
    assert configured().thinking is None
    odd = refused(generationConfig={"thinkingConfig": {"thinkingLevel": "HUGE"}})
    assert odd.param == "generationConfig.thinkingConfig.thinkingLevel"
    assert refused(generationConfig={"thinkingConfig": {"thinkingBudget": -2}}).status == 400


def sampling() -> None:
    found = configured(
        maxOutputTokens=7,
        temperature=0.5,
        topP=0.9,
        topK=5.0,
        seed=3,
        frequencyPenalty=0.1,
        presence_penalty=0.2,
        stop_sequences=["a"],
    )
    assert (found.output_limit, found.temperature, found.top_p, found.top_k, found.seed) == (7, 0.5, 0.9, 5, 3)
    assert (found.frequency_penalty, found.presence_penalty, found.stop) == (0.1, 0.2, ("a",))
    assert configured(max_output_tokens=7).output_limit == 7
    assert found.left_out == ()


def candidates() -> None:
    assert configured(candidateCount=1).left_out == ()
    assert refused(generationConfig={"candidate_count": 2}).param == "generationConfig.candidateCount"


def modalities() -> None:
    assert configured(responseModalities=["TEXT"]).left_out == ()
    assert refused(generationConfig={"responseModalities": ["TEXT", "IMAGE"]}).status == 400


def logprobs() -> None:
    assert configured(responseLogprobs=False).left_out == ()
    wanted = configured(responseLogprobs=True, logprobs=3)
    assert set(wanted.left_out) == {"generationConfig.responseLogprobs", "generationConfig.logprobs"}


def cached_content() -> None:
    for spelling in ("cachedContent", "cached_content"):
        assert refused(**{spelling: "cachedContents/x"}).param == "cachedContent"


def service_tier() -> None:
    assert read(serviceTier="standard").left_out == ()
    for tier in ("flex", "PRIORITY"):
        assert refused(service_tier=tier).param == "serviceTier"


def named_model() -> None:
    assert read(model="models/other").left_out == ()


def books() -> None:
    assert set(read(labels={"a": "b"}, store=True).left_out) == {"labels", "store"}


def leftovers() -> None:
    found = read(safetySettings=[{}], frobnicate=1, generationConfig={"mediaResolution": "X"}, gone=None)
    assert found.left_out == ("safetySettings", "frobnicate", "generationConfig.mediaResolution")


CASES: dict[str, Callable[[], None]] = {
    "systemInstruction": system,
    "contents: roles": roles,
    "contents: text": text,
    "contents: inlineData": inline_data,
    "contents: fileData": file_data,
    "contents: thought": thoughts,
    "contents: thoughtSignature": signatures,
    "contents: functionCall": function_call,
    "contents: functionResponse": function_response,
    "contents: other parts": other_parts,
    "tools: functionDeclarations": function_declarations,
    "tools: computerUse": computer_use,
    "tools: hosted": hosted,
    "toolConfig": tool_config,
    "responseMimeType, responseSchema, responseJsonSchema": output_format,
    "thinkingConfig": thinking,
    "maxOutputTokens, temperature, topP, topK, seed, frequencyPenalty, presencePenalty, stopSequences": sampling,
    "candidateCount": candidates,
    "responseModalities": modalities,
    "responseLogprobs, logprobs": logprobs,
    "cachedContent": cached_content,
    "serviceTier": service_tier,
    "model": named_model,
    "labels, store": books,
    "any other": leftovers,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("generateContent: requests read") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_SIGNED = st.sampled_from([shown("s", "m"), SKIP, "QUFB", "cnMxLg", "cnMxL!", "é"])
_PART_MEMBERS: dict[str, Any] = {
    "text": st.text(max_size=8),
    "thought": st.booleans(),
    "thoughtSignature": _SIGNED,
    "inlineData": st.just(_PNG) | _VALUES,
    "file_data": st.fixed_dictionaries({"fileUri": st.sampled_from(["https://a.example/b", "files/x"])}) | _VALUES,
    "functionCall": st.fixed_dictionaries(
        {"name": st.sampled_from(["look", "find", ""])}, optional={"id": st.text(max_size=3), "args": _VALUES}
    ),
    "functionResponse": st.fixed_dictionaries(
        {"name": st.sampled_from(["look", "find"])}, optional={"id": st.text(max_size=3), "response": _VALUES}
    ),
    "executableCode": _VALUES,
}
_PARTS = st.fixed_dictionaries({}, optional=_PART_MEMBERS)
_CONTENTS = st.fixed_dictionaries(
    {"parts": st.lists(_PARTS, max_size=4) | _PARTS},
    optional={"role": st.sampled_from(["user", "model", "function", "x"]) | _VALUES},
)
_OPTIONS = ["tools", "toolConfig", "generationConfig", "system_instruction", "safetySettings", "serviceTier", "model"]
_CONFIGS = st.dictionaries(
    st.sampled_from(["thinkingConfig", "topK", "responseSchema", "stopSequences", "responseMimeType", "seed"]),
    _VALUES,
    max_size=3,
)


@settings(max_examples=200)
@given(
    st.lists(_CONTENTS, min_size=1, max_size=5),
    st.dictionaries(st.sampled_from(_OPTIONS) | st.text(max_size=10), _VALUES, max_size=3),
    _CONFIGS,
)
def test_any_request_is_read_or_refused(
    contents: list[dict[str, Any]], members: dict[str, Any], config: dict[str, Any]
) -> None:
    body = json.dumps({"generationConfig": config, **members, "contents": contents}).encode()
    try:
        found = CODEC.to_conversation(decode(body, model="m", stream=True))
    except InvalidRequest:
        return
    for turn in found.turns:
        kinds = [isinstance(part, ToolResult) for part in turn.parts]
        assert turn.parts
        assert kinds == sorted(kinds, reverse=True)
