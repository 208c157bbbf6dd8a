"""Conversations as Responses requests: one test for each row of the table, and back again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.codec import Sending
from reseller_kit.wire.conversation import (
    Conversation,
    Media,
    OutputFormat,
    Part,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from reseller_kit.wire.openai_responses import CODEC, decode
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_HELLO = Turn(role="user", parts=(Text(text="Hello"),))
_LOOK = Tool(name="look", description="Looks.", parameters=Raw(b'{"type":"object"}'), strict=True)
_PATCH = Tool(name="patch", description="Patches.", custom=True, grammar="start: A")
_CALL = ToolCall(id="c1", name="look", arguments='{"at":1}')
_IMAGE = Media(kind="image", media_type="image/png", data="AAAA")


def written(
    *turns: Turn, to: str = "openai", model: str = "gpt-5-mini", limit: int | None = None, **members: Any
) -> dict[str, Any]:
    sending = Sending(model=model, provider=to, maker=to, output_limit=limit, room=1000)
    conversation = Conversation(turns=turns or (_HELLO,), **members)
    body: dict[str, Any] = json.loads(CODEC.from_conversation(conversation, sending))
    return body


def items(*turns: Turn, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(*turns, **members)["input"]
    return found


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=parts)


def assistant(*parts: Part) -> Turn:
    return Turn(role="assistant", parts=parts)


def refused(*turns: Turn, **members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        written(*turns, **members)
    return caught.value


def lost(model: str, **members: Any) -> set[str]:
    sending = Sending(model=model, provider="openai", maker="openai", output_limit=None, room=1000)
    return set(CODEC.not_carried(Conversation(turns=(_HELLO,), **members), sending))


def cut(model: str = "gpt-5-mini", **members: Any) -> tuple[str, ...]:
    sending = Sending(model=model, provider="openai", maker="openai", output_limit=None, room=1000)
    return CODEC.cut_here(Conversation(turns=(_HELLO,), **members), sending)


def system_turns() -> None:
    system = Turn(role="system", parts=(Text(text="A"), Text(text="B")))
    body = written(system, system, _HELLO, system)
    assert body["instructions"] == "A\n\nB\n\nA\n\nB"
    assert body["input"][1] == {"type": "message", "role": "developer", "content": "A\n\nB"}
    assert items(_HELLO, system, to="groq")[1]["role"] == "system"


def user_turns() -> None:
    result = ToolResult(call_id="c1", content=(Text(text="seen"),))
    assert items(user(result, Text(text="Go on"), Text(text="now"))) == [
        {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Go on"}, {"type": "input_text", "text": "now"}],
        },
    ]


def media() -> None:
    paper = Media(kind="document", media_type="text/plain", data="CCCC", name="a.txt")
    by_url = Media(kind="image", url="https://a.example/b.png", detail="low")
    (message,) = items(user(by_url, _IMAGE, paper, Media(kind="document", url="https://a.example/b.pdf")))
    assert message["content"] == [
        {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,CCCC"},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
    ]


def audio_and_videos() -> None:
    assert "audio" in refused(user(Media(kind="audio", media_type="audio/wav", data="AA"))).message
    assert "video" in refused(user(Media(kind="video", url="https://a.example/b.mp4"))).message


def results() -> None:
    result = ToolResult(call_id="c1", content=(Text(text="seen"), _IMAGE))
    (output,) = items(user(result))
    assert [part["type"] for part in output["output"]] == ["input_text", "input_image"]


def errors() -> None:
    for content, sent in (((Text(text="gone"),), "Error: gone"), ((), "Error: ")):
        assert items(user(ToolResult(call_id="c1", content=content, is_error=True)))[0]["output"] == sent
    pictured = ToolResult(call_id="c1", content=(_IMAGE,), is_error=True)
    assert items(user(pictured))[0]["output"][0] == {"type": "input_text", "text": "Error:"}


def thoughts() -> None:
    own = Reasoning(text="Hm", signature=mark("sig", "openai"))
    silent = Reasoning(text="", signature=mark("sig", "openai"), redacted=True)
    foreign = Reasoning(text="Hm", signature=mark("sig", "other"))
    unmarked = Reasoning(text="Hm", signature="sig")
    found = items(assistant(own, silent, foreign, unmarked, Reasoning(text="Hm"), Text(text="A")))
    assert found == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "sig"},
        {"type": "reasoning", "summary": [], "encrypted_content": "sig"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A", "annotations": []}],
        },
    ]


def cache_hints() -> None:
    assert items(user(Text(text="A", cache="1h")))[0]["content"] == [{"type": "input_text", "text": "A"}]


def names_and_ids() -> None:
    name, call_id = "find.in/" + "x" * 80, "id with spaces"
    call = ToolCall(id=call_id, name=name, arguments="")
    body = written(assistant(call), user(ToolResult(call_id=call_id, content=())), tools=(Tool(name=name),))
    sent, output = body["input"]
    assert body["tools"][0]["name"] == sent["name"]
    assert len(sent["name"]) <= 64
    assert (output["call_id"], sent["arguments"]) == (sent["call_id"], "{}")
    assert sent["call_id"] != call_id


def tools() -> None:
    strict, plain = written(tools=(_LOOK, Tool(name="go")))["tools"]
    assert strict == {
        "type": "function",
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object"},
        "strict": True,
    }
    assert (plain["strict"], plain["parameters"]) == (False, {"type": "object", "properties": {}})


def custom_tools() -> None:
    turns = (
        assistant(ToolCall(id="c", name="patch", arguments="*** Begin", custom=True)),
        user(ToolResult(call_id="c", content=(Text(text="done"),))),
    )
    body = written(*turns, tools=(_PATCH,))
    assert (body["tools"][0]["type"], "start: A" in body["tools"][0]["description"]) == ("custom", True)
    assert [item["type"] for item in body["input"]] == ["custom_tool_call", "custom_tool_call_output"]
    assert body["input"][0]["input"] == "*** Begin"
    body = written(*turns, tools=(_PATCH,), to="groq")
    assert body["tools"][0]["parameters"]["required"] == ["input"]
    assert [item["type"] for item in body["input"]] == ["function_call", "function_call_output"]
    assert json.loads(body["input"][0]["arguments"]) == {"input": "*** Begin"}


def tool_choice() -> None:
    def chosen(to: str, mode: Any, *names: str) -> Any:
        return written(tools=(_LOOK, _PATCH), tool_choice=ToolChoice(mode=mode, names=names), to=to)["tool_choice"]

    assert chosen("openai", "required") == "required"
    assert chosen("openai", "named", "look") == {"type": "function", "name": "look"}
    assert chosen("openai", "named", "patch") == {"type": "custom", "name": "patch"}
    assert chosen("groq", "named", "patch") == {"type": "function", "name": "patch"}
    assert chosen("openai", "auto", "look")["tools"] == [{"type": "function", "name": "look"}]
    body = written(tools=(_LOOK, _PATCH), tool_choice=ToolChoice(mode="auto", names=("look",)), to="groq")
    assert (body["tool_choice"], len(body["tools"])) == ("auto", 1)
    assert "tool_choice" not in written(tool_choice=ToolChoice(mode="required"))
    assert written(tools=(_LOOK,), parallel_tool_calls=False)["parallel_tool_calls"] is False


def output_format() -> None:
    assert written(output_format=OutputFormat(kind="json"), verbosity="low")["text"] == {
        "format": {"type": "json_object"},
        "verbosity": "low",
    }
    schema = OutputFormat(kind="schema", schema=Raw(b"{}"), strict=True)
    assert written(output_format=schema)["text"]["format"] == {
        "type": "json_schema",
        "name": "answer",
        "schema": {},
        "strict": True,
    }
    assert "text" not in written()


def thinking() -> None:
    def wanted(model: str, **members: Any) -> Any:
        return written(model=model, thinking=Thinking(**members)).get("reasoning")

    assert wanted("gpt-5-mini", effort="low", visible=True) == {"effort": "low", "summary": "auto"}
    assert wanted("gpt-5-mini", budget=5000) == {"effort": "medium"}
    assert wanted("gpt-5-mini", budget=-1) is None
    assert wanted("gpt-4o", effort="low") is None
    assert lost("gpt-4o", thinking=Thinking(effort="low")) == {"thinking"}
    assert lost("gpt-5", thinking=Thinking(effort="low")) == set()


def sampling() -> None:
    given: dict[str, Any] = {"temperature": 0.5, "top_p": 0.25}
    others: dict[str, Any] = {"frequency_penalty": 1.0, "presence_penalty": 1.0, "seed": 7, "top_k": 3}
    body = written(model="gpt-4o", user="u", **given, **others)
    assert {name: body.get(name) for name in given} == given
    assert body["user"] == "u"
    assert not others.keys() & body.keys()
    assert not given.keys() & written(model="gpt-5-mini", **given).keys()
    assert written(to="groq", **given).keys() >= given.keys()
    assert lost("gpt-4o", **given, **others) == set(others)
    assert lost("gpt-5-mini", **given) == set(given)


def stop() -> None:
    assert "stop" not in written(stop=("A",))
    assert cut(stop=("A", "\n")) == ("A", "\n")


def limit() -> None:
    assert written(output_limit=20, limit=10)["max_output_tokens"] == 10
    assert written(output_limit=5)["max_output_tokens"] == 5
    assert "max_output_tokens" not in written()


def storage() -> None:
    body = written(stream=True)
    assert (body["store"], body["include"], body["stream"]) == (False, ["reasoning.encrypted_content"], True)
    assert not {"include", "stream"} & written(model="gpt-4o").keys()


CASES: dict[str, Callable[[], None]] = {
    "system turns": system_turns,
    "user turns": user_turns,
    "images, documents": media,
    "audio, videos": audio_and_videos,
    "results of tools": results,
    "errors of tools": errors,
    "thoughts": thoughts,
    "cache hints": cache_hints,
    "tool names and ids": names_and_ids,
    "tools": tools,
    "custom tools": custom_tools,
    "tool choice": tool_choice,
    "output format, verbosity": output_format,
    "thinking": thinking,
    "sampling": sampling,
    "stop": stop,
    "limit": limit,
    "storage": storage,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Responses: requests written") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


def test_a_conversation_comes_back_as_it_was() -> None:
    conversation = Conversation(
        turns=(
            Turn(role="system", parts=(Text(text="Be brief."),)),
            user(Text(text="Look"), Media(kind="image", media_type="image/png", data="AAAA", detail="auto")),
            assistant(Text(text="I look."), _CALL),
            user(ToolResult(call_id="c1", name="look", content=(Text(text="seen"),)), Text(text="And?")),
        ),
        tools=(_LOOK,),
        tool_choice=ToolChoice(mode="auto", names=("look",)),
        parallel_tool_calls=True,
        output_limit=100,
        output_format=OutputFormat(kind="schema", name="p", schema=Raw(b'{"type":"object"}')),
        thinking=Thinking(effort="low", visible=True),
        user="u",
        verbosity="low",
        stream=True,
    )
    sending = Sending(model="gpt-5-mini", provider="openai", maker="openai", output_limit=None, room=1000)
    assert CODEC.to_conversation(decode(CODEC.from_conversation(conversation, sending))) == conversation
