"""Conversations as chat requests: one test for each row of the table, and back again."""

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
from reseller_kit.wire.openai_chat import cut_here, from_conversation, not_carried, to_conversation
from reseller_kit.wire.openai_chat.request import decode
from reseller_kit.wire.signatures import MARK
from tests.unit.wire.translation_table import rows_of

_HELLO = Turn(role="user", parts=(Text(text="Hello"),))
_LOOK = Tool(name="look", description="Looks.", parameters=Raw(b'{"type":"object"}'), strict=True)
_PATCH = Tool(name="patch", description="Patches.", custom=True, grammar="start: A")
_CALL = ToolCall(id="call_1", name="look", arguments='{"at":1}')
_IMAGE = Media(kind="image", media_type="image/png", data="AAAA")


def written(
    *turns: Turn, to: str = "openai", model: str = "gpt-5-mini", limit: int | None = None, **members: Any
) -> dict[str, Any]:
    sending = Sending(model=model, provider=to, maker=to, output_limit=limit, room=1000)
    body: dict[str, Any] = json.loads(from_conversation(Conversation(turns=turns or (_HELLO,), **members), sending))
    return body


def messages(*turns: Turn, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(*turns, **members)["messages"]
    return found


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=parts)


def refused(*turns: Turn, **members: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        written(*turns, **members)
    return caught.value.message


def lost(model: str, to: str = "openai", **members: Any) -> set[str]:
    sending = Sending(model=model, provider=to, maker=to, output_limit=None, room=1000)
    return set(not_carried(Conversation(turns=(_HELLO,), **members), sending))


def cut(stops: tuple[str, ...], *, to: str = "openai", model: str) -> tuple[str, ...]:
    sending = Sending(model=model, provider=to, maker=to, output_limit=None, room=1000)
    return cut_here(Conversation(turns=(_HELLO,), stop=stops), sending)


def system_turns() -> None:
    system = Turn(role="system", parts=(Text(text="A"), Text(text="B")))
    assert messages(_HELLO, system) == [
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "A\n\nB"},
    ]


def user_turns() -> None:
    result = ToolResult(call_id="call_1", content=(Text(text="seen"),))
    assert messages(user(result, Text(text="Go on"))) == [
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "user", "content": "Go on"},
    ]


def texts() -> None:
    assert messages(user(Text(text="A"), Text(text="B")))[0]["content"] == "A\n\nB"
    assert messages(user(Text(text="A"), _IMAGE))[0]["content"][0] == {"type": "text", "text": "A"}
    said = Turn(role="assistant", parts=(Text(text="A"), Text(text="B"), Text(text="No", refusal=True)))
    assert messages(said) == [{"role": "assistant", "content": "A\n\nB", "refusal": "No"}]


def media() -> None:
    sound = Media(kind="audio", media_type="audio/mpeg", data="BBBB")
    paper = Media(kind="document", media_type="text/plain", data="CCCC", name="a.txt")
    film = Media(kind="video", url="https://a.example/b.mp4")
    shown = messages(user(Media(kind="image", url="https://a.example/b.png", detail="low"), _IMAGE, sound, paper, film))
    assert shown[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,CCCC"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}},
    ]
    assert "inline" in refused(user(Media(kind="document", url="https://a.example/b.pdf")))
    assert "inline" in refused(user(Media(kind="audio", url="https://a.example/b.mp3")))
    assert "wav" in refused(user(Media(kind="audio", media_type="audio/midi", data="AA")))


def media_of_results() -> None:
    result = ToolResult(call_id="call_1", content=(_IMAGE,))
    tool, shown = messages(user(result))
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "The files follow in the next message."}
    assert [part["type"] for part in shown["content"]] == ["text", "image_url"]
    assert "call_1" in shown["content"][0]["text"]


def errors() -> None:
    for text, sent in (("gone", "Error: gone"), ("error: gone", "error: gone")):
        result = ToolResult(call_id="call_1", content=(Text(text=text),), is_error=True)
        assert messages(user(result))[0]["content"] == sent


def thoughts() -> None:
    thinking = Turn(role="assistant", parts=(Reasoning(text="Hm"), _CALL))
    assert "reasoning_content" not in messages(thinking)[0]
    assert messages(thinking, to="deepseek")[0]["reasoning_content"] == "Hm"
    only = Turn(role="assistant", parts=(Reasoning(text="Hm"), Text(text="A")))
    assert messages(only, to="deepseek")[0] == {"role": "assistant", "content": "A"}


def signatures() -> None:
    signed = Turn(role="assistant", parts=(Reasoning(text="", signature=f"{MARK}a", redacted=True), Text(text="A")))
    assert messages(signed) == [{"role": "assistant", "content": "A"}]


def cache_hints() -> None:
    assert messages(user(Text(text="A", cache="1h"))) == [{"role": "user", "content": "A"}]


def names_and_ids() -> None:
    name, call_id = "find.in/" + "x" * 80, "id with spaces"
    call = ToolCall(id=call_id, name=name, arguments="{}")
    result = user(ToolResult(call_id=call_id, content=()))
    body = written(Turn(role="assistant", parts=(call,)), result, tools=(Tool(name=name),))
    (sent,) = body["messages"][0]["tool_calls"]
    assert body["tools"][0]["function"]["name"] == sent["function"]["name"]
    assert len(sent["function"]["name"]) <= 64
    assert body["messages"][1]["tool_call_id"] == sent["id"] != call_id


def custom_tools() -> None:
    call = Turn(role="assistant", parts=(ToolCall(id="c", name="patch", arguments="*** Begin", custom=True),))
    body = written(call, tools=(_PATCH,))
    assert body["tools"][0]["type"] == "custom"
    assert "start: A" in body["tools"][0]["custom"]["description"]
    assert body["messages"][0]["tool_calls"][0]["custom"] == {"name": "patch", "input": "*** Begin"}
    body = written(call, tools=(_PATCH,), to="groq")
    assert body["tools"][0]["function"]["parameters"]["required"] == ["input"]
    assert "start: A" in body["tools"][0]["function"]["description"]
    arguments = body["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"input": "*** Begin"}


def tool_choice() -> None:
    tools = (_LOOK, _PATCH)

    def chosen(to: str, mode: Any, *names: str) -> Any:
        return written(tools=tools, tool_choice=ToolChoice(mode=mode, names=names), to=to)["tool_choice"]

    assert chosen("openai", "required") == "required"
    assert chosen("openai", "named", "look") == {"type": "function", "function": {"name": "look"}}
    assert chosen("openai", "named", "patch") == {"type": "custom", "custom": {"name": "patch"}}
    assert chosen("groq", "named", "patch") == {"type": "function", "function": {"name": "patch"}}
    assert chosen("openai", "auto", "look")["allowed_tools"]["mode"] == "auto"
    body = written(tools=tools, tool_choice=ToolChoice(mode="auto", names=("look",)), to="groq")
    assert (body["tool_choice"], len(body["tools"])) == ("auto", 1)
    assert "tool_choice" not in written(tool_choice=ToolChoice(mode="required"), parallel_tool_calls=True)
    assert written(tools=tools, parallel_tool_calls=False)["parallel_tool_calls"] is False


def output_format() -> None:
    assert written(output_format=OutputFormat(kind="json"))["response_format"] == {"type": "json_object"}
    schema = OutputFormat(kind="schema", name="p", description="d", schema=Raw(b"{}"), strict=True)
    assert written(output_format=schema)["response_format"]["json_schema"] == {
        "name": "p",
        "description": "d",
        "schema": {},
        "strict": True,
    }
    assert "response_format" not in written(output_format=OutputFormat(kind="text"))


def thinking() -> None:
    def effort(model: str, to: str = "openai", **members: Any) -> Any:
        return written(model=model, to=to, thinking=Thinking(**members)).get("reasoning_effort")

    assert effort("gpt-5-mini", effort="low") == "low"
    assert effort("gpt-5-mini", budget=5000) == "medium"
    assert effort("gpt-5-mini", budget=-1) is None
    assert (effort("gpt-5", effort="none"), effort("gpt-5.1", effort="none")) == ("minimal", "none")
    assert (effort("gpt-5", effort="minimal"), effort("gpt-5.1", effort="minimal")) == ("minimal", "low")
    assert (effort("gpt-5.1", effort="xhigh"), effort("gpt-5.2", effort="xhigh")) == ("high", "xhigh")
    assert (effort("gpt-6", effort="xhigh"), effort("o3", effort="none")) == ("xhigh", None)
    assert effort("qwen/qwen3-32b", "groq", effort="xhigh") == "high"
    assert effort("gpt-4o", effort="low") is None
    assert effort("llama-4", "groq", effort="low") is None
    assert lost("gpt-4o", thinking=Thinking(effort="low")) == {"thinking"}
    assert lost("gpt-5", thinking=Thinking(effort="low")) == set()


def sampling() -> None:
    given: dict[str, Any] = {"temperature": 0.5, "top_p": 0.25, "frequency_penalty": 1.0, "presence_penalty": -1.0}
    plain = written(model="gpt-4o", **given, top_k=3, seed=7, user="u", verbosity="low")
    assert {name: plain.get(name) for name in given} == given
    assert (plain["seed"], plain["user"], plain["verbosity"], "top_k" in plain) == (7, "u", "low", False)
    assert not given.keys() & written(model="gpt-5-mini", **given).keys()
    assert written(model="gpt-5-mini", to="groq", verbosity="low", **given).keys() >= given.keys()
    assert lost("gpt-4o", top_k=3, verbosity="low", **given) == {"top_k"}
    assert lost("gpt-5", **given) == set(given)
    assert lost("gpt-5", "groq", verbosity="low", **given) == {"verbosity"}


def stop() -> None:
    many = ("A", "B", "C", "D", "E")
    assert written(stop=many, to="groq")["stop"] == list(many)
    assert written(stop=many, model="gpt-4.1")["stop"] == list(many[:4])
    assert "stop" not in written(stop=many, model="gpt-5-mini")
    assert cut(many, to="groq", model="x") == ()
    assert cut(many, model="gpt-4.1") == ("E",)
    assert cut(many, model="o3") == many


def limit() -> None:
    assert written(output_limit=20, limit=10)["max_completion_tokens"] == 10
    assert written(output_limit=5, limit=10, to="groq")["max_tokens"] == 5
    assert written(limit=10)["max_completion_tokens"] == 10
    assert not {"max_tokens", "max_completion_tokens"} & written().keys()


def stream() -> None:
    body = written(stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert not {"stream", "stream_options"} & written().keys()


CASES: dict[str, Callable[[], None]] = {
    "system turns": system_turns,
    "user turns": user_turns,
    "texts": texts,
    "images, audio, documents, videos": media,
    "media of tool results": media_of_results,
    "errors of tools": errors,
    "thoughts": thoughts,
    "signatures": signatures,
    "cache hints": cache_hints,
    "tool names and ids": names_and_ids,
    "custom tools": custom_tools,
    "tool choice": tool_choice,
    "output format": output_format,
    "thinking": thinking,
    "sampling": sampling,
    "stop": stop,
    "limit": limit,
    "stream": stream,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Chat completions: requests written") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


def test_a_conversation_comes_back_as_it_was() -> None:
    conversation = Conversation(
        turns=(
            Turn(role="system", parts=(Text(text="Be brief."),)),
            user(Text(text="Look"), _IMAGE),
            Turn(role="assistant", parts=(Text(text="I look."), _CALL)),
            user(ToolResult(call_id="call_1", name="look", content=(Text(text="seen"),)), Text(text="And?")),
        ),
        tools=(_LOOK,),
        tool_choice=ToolChoice(mode="auto", names=("look",)),
        parallel_tool_calls=True,
        output_limit=100,
        output_format=OutputFormat(kind="schema", name="p", schema=Raw(b'{"type":"object"}')),
        thinking=Thinking(effort="low", visible=True),
        seed=7,
        user="u",
        stream=True,
    )
    sending = Sending(model="gpt-5-mini", provider="openai", maker="openai", output_limit=None, room=1000)
    assert to_conversation(decode(from_conversation(conversation, sending))) == conversation
