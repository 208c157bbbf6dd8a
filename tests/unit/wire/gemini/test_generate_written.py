"""The intermediate form as generateContent requests: one test for each row of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from reseller_kit.wire.codec import Sending
from reseller_kit.wire.conversation import (
    Conversation,
    Effort,
    Media,
    OutputFormat,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from reseller_kit.wire.gemini import CODEC
from reseller_kit.wire.gemini.thoughts import SKIP
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_HELLO = Turn(role="user", parts=(Text(text="Hello"),))
_LOOK = Tool(name="look", description="Looks.", parameters=Raw(b'{"type":"object"}'))
_FIND = Tool(name="find", description="Finds.")
_CALL = ToolCall(id="c1", name="look", arguments='{"at":1}')
_SCHEMA = OutputFormat(kind="schema", schema=Raw(b'{"type":"object"}'))


def sending(model: str = "gemini-3-flash", limit: int | None = None) -> Sending:
    return Sending(model=model, provider="google", maker="maker", output_limit=limit, room=1_000)


def turn(role: Role, *parts: Part) -> Turn:
    return Turn(role=role, parts=parts)


def written(*turns: Turn, to: Sending | None = None, **members: Any) -> dict[str, Any]:
    conversation = Conversation(turns=turns or (_HELLO,), **members)
    found: dict[str, Any] = json.loads(CODEC.from_conversation(conversation, to or sending()))
    return found


def config(model: str = "gemini-3-flash", **members: Any) -> dict[str, Any]:
    found: dict[str, Any] = written(to=sending(model), **members).get("generationConfig", {})
    return found


def lost(model: str = "gemini-3-flash", **members: Any) -> tuple[str, ...]:
    return CODEC.not_carried(Conversation(turns=(_HELLO,), **members), sending(model))


def parts(*given: Part, role: Role = "user") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(_HELLO, turn(role, *given))["contents"][-1]["parts"]
    return found[1:] if role == "user" else found


def after_call(*given: Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(_HELLO, turn("assistant", _CALL), turn("user", *given))["contents"][2][
        "parts"
    ]
    return found


def system_turns() -> None:
    found = written(turn("system", Text(text="A"), Text(text="")), _HELLO, turn("system", Text(text="B")))
    assert found["systemInstruction"] == {"parts": [{"text": "A"}]}
    assert found["contents"] == [{"role": "user", "parts": [{"text": "Hello"}, {"text": "<system>\nB\n</system>"}]}]
    alone = written(turn("system", Text(text="A")))
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "A"}]}]}


def turns() -> None:
    found = written(turn("assistant", Text(text="B")), _HELLO, turn("user", Text(text="C")))["contents"]
    assert [content["role"] for content in found] == ["user", "model", "user"]
    assert found[0]["parts"] == [{"text": "(The conversation begins.)"}]
    assert found[2]["parts"] == [{"text": "Hello"}, {"text": "C"}]
    result = ToolResult(call_id="c1", name="look", content=(Text(text="x"),))
    assert [*after_call(Text(text="A"), result)[0]] == ["functionResponse"]


def texts() -> None:
    assert parts(Text(text="A"), Text(text=""), Text(text="B", refusal=True)) == [{"text": "A"}, {"text": "B"}]


def media() -> None:
    kept = Media(kind="image", media_type="image/png", data="AAAA")
    assert parts(kept, Media(kind="document", data="BBBB"), Media(kind="audio", media_type="audio/mpeg", data="C")) == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "BBBB"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "C"}},
    ]
    assert parts(
        Media(kind="image", url="https://a.example/b.webp?c=d.png"),
        Media(kind="image", url="https://a.example/b"),
        Media(kind="video", media_type="video/webm", url="https://a.example/b"),
    ) == [
        {"fileData": {"fileUri": "https://a.example/b.webp?c=d.png", "mimeType": "image/webp"}},
        {"fileData": {"fileUri": "https://a.example/b", "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": "https://a.example/b", "mimeType": "video/webm"}},
    ]
    assert parts(kept, role="assistant") == [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]


def media_of_results() -> None:
    image = Media(kind="image", media_type="image/png", data="AAAA")
    result = ToolResult(call_id="c1", name="look", content=(Text(text="x"), image, Text(text="y")))
    assert after_call(Text(text="A"), result) == [
        {"functionResponse": {"id": "c1", "name": "look", "response": {"output": "x\n\ny"}}},
        {"text": "A"},
        {"text": "What look (c1) answered holds:"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]


def errors() -> None:
    failed = ToolResult(call_id="c1", content=(Text(text="no"),), is_error=True)
    assert after_call(failed) == [{"functionResponse": {"id": "c1", "name": "look", "response": {"error": "no"}}}]


def thoughts() -> None:
    own, foreign = mark("sig", "maker"), mark("sig", "other")
    given = (
        Reasoning(text="Hm", signature=own),
        Reasoning(text="", signature=own, redacted=True),
        Reasoning(text="Oh", signature=foreign),
        Reasoning(text="Ah"),
        Text(text="A"),
    )
    assert parts(*given, role="assistant") == [
        {"text": "Hm", "thoughtSignature": "sig", "thought": True},
        {"text": "", "thoughtSignature": "sig"},
        {"text": "A"},
    ]


def call_signatures() -> None:
    def called(call_id: str, maker: str | None) -> ToolCall:
        return ToolCall(id=call_id, name="look", arguments="{}", signature=mark("sig", maker) if maker else None)

    def kept(*makers: str | None) -> list[str | None]:
        found = parts(*(called(f"c{n}", maker) for n, maker in enumerate(makers)), role="assistant")
        return [part.get("thoughtSignature") for part in found]

    assert kept("maker", None) == ["sig", None]
    assert kept(None, None) == [SKIP, None]
    assert kept("other", "maker") == [SKIP, "sig"]


def cache_hints() -> None:
    assert parts(Text(text="A", cache="1h")) == [{"text": "A"}]


def names() -> None:
    long, odd = Tool(name="n" * 70), Tool(name="is-3/x.y")
    call = ToolCall(id="i" * 70, name=long.name, arguments="{}")
    result = ToolResult(call_id=call.id, name=long.name, content=())
    found = written(_HELLO, turn("assistant", call), turn("user", result), tools=(long, odd))
    first, second = (declared["name"] for declared in found["tools"][0]["functionDeclarations"])
    assert all(len(name) <= 64 and name.isascii() for name in (first, second))
    sent = found["contents"][1]["parts"][0]["functionCall"]
    assert sent["name"] == first
    assert len(sent["id"]) <= 64
    answer = found["contents"][2]["parts"][0]["functionResponse"]
    assert (answer["id"], answer["name"], answer["response"]) == (sent["id"], first, {"output": ""})
    unknown = ToolResult(call_id="c9", content=())
    assert after_call(unknown)[0]["functionResponse"]["name"] == "unknown"


def arguments() -> None:
    def sent(text: str, *, custom: bool = False) -> Any:
        call = ToolCall(id="c", name="look", arguments=text, custom=custom)
        return parts(call, role="assistant")[0]["functionCall"]["args"]

    assert sent('{"at": [1]}') == {"at": [1]}
    assert sent(" ") == {}
    assert sent("[1]") == {"input": "[1]"}
    assert sent("{oops") == {"input": "{oops"}
    assert sent('{"a":1}', custom=True) == {"input": '{"a":1}'}


def tools() -> None:
    bare = msgspec.structs.replace(_FIND, description=None, strict=True)
    assert written(tools=(_LOOK, bare))["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}},
                {"name": "find", "description": "find"},
            ]
        }
    ]
    assert "tools" not in written()


def custom_tools() -> None:
    patch = Tool(name="patch", description="P", custom=True, grammar="g")
    (declared,) = written(tools=(patch,))["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"]["required"] == ["input"]
    assert "g" in declared["description"]


def tool_choice() -> None:
    def calling(mode: Any, *allowed: str) -> dict[str, Any]:
        found = written(tools=(_LOOK, _FIND), tool_choice=ToolChoice(mode=mode, names=allowed))
        declared = [one["name"] for one in found["tools"][0]["functionDeclarations"]]
        return {**found["toolConfig"]["functionCallingConfig"], "offered": declared}

    both = ["look", "find"]
    assert calling("auto") == {"mode": "AUTO", "offered": both}
    assert calling("auto", "find") == {"mode": "AUTO", "offered": ["find"]}
    assert calling("none") == {"mode": "NONE", "offered": both}
    assert calling("required") == {"mode": "ANY", "offered": both}
    assert calling("required", "find") == {"mode": "ANY", "allowedFunctionNames": ["find"], "offered": both}
    assert calling("named", "look") == {"mode": "ANY", "allowedFunctionNames": ["look"], "offered": both}
    assert "toolConfig" not in written(tool_choice=ToolChoice(mode="auto"))


def parallel_calls() -> None:
    assert lost(tools=(_LOOK,), parallel_tool_calls=False) == ("parallel_tool_calls",)
    assert lost(tools=(_LOOK,), parallel_tool_calls=True) == ()
    assert lost(parallel_tool_calls=False) == ()


def output_format() -> None:
    wanted = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
    assert config(output_format=_SCHEMA) == wanted
    assert config(output_format=OutputFormat(kind="json")) == {"responseMimeType": "application/json"}
    assert config(output_format=OutputFormat(kind="text")) == {}
    assert config(output_format=_SCHEMA, tools=(_LOOK,)) == wanted
    older = written(to=sending("gemini-2.5-pro"), output_format=_SCHEMA, tools=(_LOOK,))
    assert "generationConfig" not in older
    assert older["systemInstruction"]["parts"][0]["text"].endswith('{"type":"object"}')
    assert lost("gemini-2.5-pro", output_format=_SCHEMA, tools=(_LOOK,)) == ("output_format",)
    assert lost("gemini-2.5-pro", output_format=_SCHEMA) == ()
    loose = written(to=sending("gemini-2.5-pro"), output_format=OutputFormat(kind="json"), tools=(_LOOK,))
    assert loose["systemInstruction"]["parts"][0]["text"].startswith("Answer with one JSON object")


def thinking() -> None:
    def levels(model: str) -> list[str]:
        efforts: tuple[Effort, ...] = ("minimal", "low", "medium", "high", "xhigh")
        return [
            config(model, thinking=Thinking(effort=effort))["thinkingConfig"]["thinkingLevel"] for effort in efforts
        ]

    def budget(model: str, **wanted: Any) -> Any:
        return config(model, thinking=Thinking(**wanted)).get("thinkingConfig")

    assert levels("gemini-3-flash") == ["MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH"]
    assert levels("gemini-3.1-pro-preview") == ["LOW", "LOW", "MEDIUM", "HIGH", "HIGH"]
    assert levels("gemini-3-pro-preview") == ["LOW", "LOW", "HIGH", "HIGH", "HIGH"]
    assert budget("gemini-3-flash", budget=2_000) == {"thinkingLevel": "LOW"}
    assert budget("gemini-2.5-flash", budget=2_000, visible=True) == {"thinkingBudget": 2_000, "includeThoughts": True}
    assert budget("gemini-2.5-flash", effort="xhigh") == {"thinkingBudget": 24_576}
    assert budget("gemini-2.5-flash-lite", budget=1) == {"thinkingBudget": 512}
    assert budget("gemini-2.5-pro", budget=1) == {"thinkingBudget": 128}
    assert budget("gemini-2.5-flash", budget=-1) is None
    for model in ("gemini-2.0-flash", "gemma-3", "gemini-2.5-flash-image"):
        assert budget(model, effort="high", visible=True) is None
        assert lost(model, thinking=Thinking(effort="high")) == ("thinking",)
        assert lost(model, thinking=Thinking(budget=0)) == ()
    assert lost("gemini-2.5-flash", thinking=Thinking(effort="high")) == ()


def no_thinking() -> None:
    def said(model: str) -> Any:
        return config(model, thinking=Thinking(budget=0)).get("thinkingConfig")

    assert said("gemini-2.5-flash") == {"thinkingBudget": 0}
    assert said("gemini-2.5-pro") == {"thinkingBudget": 128}
    assert said("gemini-3-flash") == {"thinkingLevel": "MINIMAL"}
    assert said("gemini-3-pro") == {"thinkingLevel": "LOW"}
    assert said("gemma-3") is None


def sampling() -> None:
    given: dict[str, Any] = {"temperature": 3.0, "top_p": 0.9, "top_k": 5, "seed": 4}
    assert config(**given) == {"temperature": 2.0, "topP": 0.9, "topK": 5, "seed": 4}
    penalties: dict[str, Any] = {"frequency_penalty": 0.1, "presence_penalty": 0.2}
    assert config("gemini-2.0-flash", **penalties) == {"frequencyPenalty": 0.1, "presencePenalty": 0.2}
    assert config("gemini-2.5-flash", **penalties) == {}
    assert lost("gemini-2.5-flash", **penalties) == ("frequency_penalty", "presence_penalty")
    assert lost("gemini-2.0-flash", **penalties) == ()


def stop() -> None:
    assert config(stop=("a", "b")) == {"stopSequences": ["a", "b"]}
    assert config(stop=tuple("abcdef")) == {"stopSequences": list("abcde")}
    assert CODEC.cut_here(Conversation(turns=(), stop=tuple("abcdef")), sending()) == ("f",)


def leftovers() -> None:
    assert lost(user="u", verbosity="low") == ("user", "verbosity")


def limit() -> None:
    assert config(output_limit=7) == {"maxOutputTokens": 7}
    assert written(to=sending(limit=5), output_limit=7)["generationConfig"] == {"maxOutputTokens": 5}
    assert written(to=sending(limit=5))["generationConfig"] == {"maxOutputTokens": 5}
    assert "generationConfig" not in written()


def stream() -> None:
    assert written(stream=True) == written()


CASES: dict[str, Callable[[], None]] = {
    "system turns": system_turns,
    "turns": turns,
    "texts": texts,
    "images, audio, documents, videos": media,
    "media of tool results": media_of_results,
    "errors of tools": errors,
    "thoughts": thoughts,
    "signatures of tool calls": call_signatures,
    "cache hints": cache_hints,
    "tool names and ids": names,
    "tool arguments": arguments,
    "tools": tools,
    "custom tools": custom_tools,
    "tool choice": tool_choice,
    "parallel tool calls": parallel_calls,
    "output format": output_format,
    "thinking": thinking,
    "no thinking": no_thinking,
    "sampling": sampling,
    "stop": stop,
    "user, verbosity": leftovers,
    "limit": limit,
    "stream": stream,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("generateContent: requests written") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()
