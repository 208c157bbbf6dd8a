"""Conversations as messages requests: one test for each row of the table, and any conversation at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.anthropic_messages import CODEC, decode
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
from reseller_kit.wire.signatures import MARK, mark
from tests.unit.wire.translation_table import rows_of

_OLD = "claude-sonnet-4-5-20250929"
_NEW = "claude-sonnet-4-6"
_NEWEST = "claude-opus-5-5"
_HELLO = Turn(role="user", parts=(Text(text="Hello"),))
_LOOK = Tool(name="look", parameters=Raw(b'{"type":"object"}'))
_CALL = ToolCall(id="call_1", name="look", arguments='{"at":1}')


def sending(model: str = _NEW, *, output_limit: int | None = None) -> Sending:
    return Sending(model=model, provider="anthropic", maker="maker", output_limit=output_limit, room=8_000)


def write(*turns: Turn, model: str = _NEW, lowered: int | None = None, **members: Any) -> dict[str, Any]:
    conversation = Conversation(turns=turns or (_HELLO,), **members)
    written = CODEC.from_conversation(conversation, sending(model, output_limit=lowered))
    decode(written)
    document: dict[str, Any] = json.loads(written)
    return document


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=parts)


def assistant(*parts: Part) -> Turn:
    return Turn(role="assistant", parts=parts)


def system(*texts: str) -> Turn:
    return Turn(role="system", parts=tuple(Text(text=text) for text in texts))


def blocks_of(*parts: Part) -> list[dict[str, Any]]:
    (message,) = write(user(*parts))["messages"]
    content: list[dict[str, Any]] = message["content"]
    return content


def refused(*turns: Turn) -> str:
    with pytest.raises(InvalidRequest) as caught:
        write(*turns)
    return caught.value.message


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def system_turns() -> None:
    found = write(system("A", "B"), system("C"), _HELLO, system("D"))
    assert found["system"] == [said("A"), said("B"), said("C")]
    assert found["messages"] == [{"role": "user", "content": [said("Hello"), said("<system>\nD\n</system>")]}]
    alone = write(system("A"))
    assert alone["messages"] == [{"role": "user", "content": [said("A")]}]
    assert "system" not in alone


def turns() -> None:
    result = ToolResult(call_id="call_1", content=(Text(text="seen"),))
    found = write(assistant(Text(text="Hi"), _CALL), system("S"), user(result), user(Text(text="B")))["messages"]
    assert [message["role"] for message in found] == ["user", "assistant", "user"]
    assert found[0]["content"] == [said("(The conversation begins.)")]
    assert [block["type"] for block in found[2]["content"]] == ["tool_result", "text", "text"]


def texts() -> None:
    assert blocks_of(Text(text=""), Text(text="A")) == [said("A")]
    found = write(_HELLO, assistant(Text(text="I say \n")))["messages"]
    assert found[1]["content"] == [said("I say")]


def images_and_documents() -> None:
    encoded = base64.b64encode("wörds".encode()).decode()
    assert blocks_of(
        Media(kind="image", media_type="image/jpg", data="AAAA"),
        Media(kind="image", url="https://a.example/b"),
        Media(kind="document", data="AAAA", name="T"),
        Media(kind="document", media_type="text/markdown", data=encoded),
    ) == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            "title": "T",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "wörds"}},
    ]
    assert "image/tiff" in refused(user(Media(kind="image", media_type="image/tiff", data="AAAA")))
    assert "application/zip" in refused(user(Media(kind="document", media_type="application/zip", data="AAAA")))
    assert "UTF-8" in refused(user(Media(kind="document", media_type="text/plain", data="/w==")))


def audio_and_videos() -> None:
    assert "audio" in refused(user(Media(kind="audio", media_type="audio/wav", data="AAAA")))
    assert "video" in refused(user(Media(kind="video", url="https://a.example/b.mp4")))


def media_of_the_assistant() -> None:
    assert "image" in refused(_HELLO, assistant(Media(kind="image", media_type="image/png", data="AAAA")))


def media_of_results() -> None:
    picture = Media(kind="image", media_type="image/png", data="AAAA")
    (block,) = blocks_of(ToolResult(call_id="call_1", content=(Text(text="A"), Text(text=""), picture)))
    assert [piece["type"] for piece in block["content"]] == ["text", "image"]
    assert blocks_of(ToolResult(call_id="call_1", content=())) == [{"type": "tool_result", "tool_use_id": "call_1"}]


def errors_of_tools() -> None:
    (block,) = blocks_of(ToolResult(call_id="call_1", content=(), is_error=True))
    assert block["is_error"] is True


def thoughts() -> None:
    own, foreign = mark("sig", "maker"), mark("sig", "other")
    parts = (
        Reasoning(text="A", signature=own),
        Reasoning(text="", signature=own, redacted=True),
        Reasoning(text="B", signature=foreign),
        Reasoning(text="C", signature="bare"),
        Reasoning(text="D"),
        Text(text="E"),
    )
    assert write(_HELLO, assistant(*parts))["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "A", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sig"},
        said("E"),
    ]


def cache_hints() -> None:
    hinted = Text(text="A", cache="1h")
    found = write(Turn(role="system", parts=(hinted,)), user(hinted), tools=(Tool(name="look", cache="5m"),))
    assert found["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert found["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert found["tools"][0]["cache_control"] == {"type": "ephemeral"}


def names_and_ids() -> None:
    long, odd = "mcp__" + "x" * 90, "functions.look:0"
    found = write(_HELLO, assistant(ToolCall(id=odd, name=long, arguments="{}")), tools=(Tool(name=long),))
    block = found["messages"][1]["content"][0]
    assert block["name"] == found["tools"][0]["name"]
    assert len(block["name"]) <= 64
    assert block["id"].startswith("call_")
    result = write(user(ToolResult(call_id=odd, content=())))["messages"][0]["content"][0]
    assert result["tool_use_id"] == block["id"]


def arguments() -> None:
    for given_text, sent in (
        ('{"at":1}', {"at": 1}),
        ("", {}),
        (" ", {}),
        ("[1]", {"input": "[1]"}),
        ("{", {"input": "{"}),
    ):
        call = ToolCall(id="c", name="look", arguments=given_text)
        assert write(_HELLO, assistant(call))["messages"][1]["content"][0]["input"] == sent


def custom_tools() -> None:
    tool = Tool(name="patch", description="Patches.", custom=True, grammar="start: x", strict=True)
    call = ToolCall(id="c", name="patch", arguments="*** Begin", custom=True)
    found = write(_HELLO, assistant(call), tools=(tool,))
    (written,) = found["tools"]
    assert written["input_schema"]["required"] == ["input"]
    assert "start: x" in written["description"]
    assert "strict" not in written
    assert found["messages"][1]["content"][0]["input"] == {"input": "*** Begin"}


def tool_choice() -> None:
    def chosen(choice: ToolChoice | None, **members: Any) -> Any:
        return write(tools=(_LOOK, Tool(name="b")), tool_choice=choice, **members).get("tool_choice")

    assert chosen(None) is None
    assert chosen(ToolChoice(mode="auto")) == {"type": "auto"}
    assert chosen(ToolChoice(mode="none")) == {"type": "none"}
    assert chosen(ToolChoice(mode="required")) == {"type": "any"}
    assert chosen(ToolChoice(mode="named", names=("look",))) == {"type": "tool", "name": "look"}
    assert chosen(ToolChoice(mode="required"), model=_NEWEST) == {"type": "auto"}
    assert "tool_choice" not in write(tool_choice=ToolChoice(mode="auto"))
    allowed = write(tools=(_LOOK, Tool(name="b")), tool_choice=ToolChoice(mode="required", names=("b",)))
    assert [tool["name"] for tool in allowed["tools"]] == ["b"]
    assert allowed["tool_choice"] == {"type": "any"}
    assert write(tools=(Tool(name="b"),))["tools"] == [
        {"name": "b", "input_schema": {"type": "object", "properties": {}}}
    ]
    assert write(tools=(Tool(name="b", strict=True),))["tools"][0]["strict"] is True


def parallel_calls() -> None:
    alone = write(tools=(_LOOK,), parallel_tool_calls=False)
    assert alone["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in write(tools=(_LOOK,), parallel_tool_calls=True)
    none = write(tools=(_LOOK,), parallel_tool_calls=False, tool_choice=ToolChoice(mode="none"))
    assert none["tool_choice"] == {"type": "none"}


def output_format() -> None:
    schema = OutputFormat(kind="schema", name="n", schema=Raw(b'{"type":"object"}'))
    assert write(output_format=schema)["output_config"] == {
        "format": {"type": "json_schema", "schema": {"type": "object"}}
    }
    loose = write(output_format=OutputFormat(kind="json"))
    assert "JSON object" in loose["system"][0]["text"]
    assert write(output_format=OutputFormat(kind="text")).keys() == {"model", "max_tokens", "messages"}


def thinking() -> None:
    def thought(wanted: Thinking, model: str = _NEW, **members: Any) -> tuple[Any, Any]:
        found = write(thinking=wanted, model=model, **members)
        return found.get("thinking"), found.get("output_config", {}).get("effort")

    assert thought(Thinking(effort="medium")) == ({"type": "adaptive"}, "medium")
    assert thought(Thinking(effort="minimal", visible=True)) == ({"type": "adaptive", "display": "summarized"}, "low")
    assert thought(Thinking(budget=9_000)) == ({"type": "adaptive"}, "medium")
    assert thought(Thinking(budget=-1)) == ({"type": "adaptive"}, None)
    assert thought(Thinking(effort="xhigh")) == ({"type": "adaptive"}, "high")
    assert thought(Thinking(effort="xhigh"), _NEWEST) == ({"type": "adaptive"}, "xhigh")
    assert thought(Thinking(effort="low"), _OLD) == ({"type": "enabled", "budget_tokens": 4_096}, None)
    assert thought(Thinking(effort="high"), _OLD) == ({"type": "enabled", "budget_tokens": 6_000}, None)
    assert thought(Thinking(effort="high"), _OLD, output_limit=1_200) == (None, None)
    assert thought(Thinking(budget=-1), _OLD) == ({"type": "enabled", "budget_tokens": 6_000}, None)
    assert thought(Thinking(effort="high"), "claude-3-5-haiku-20241022") == (None, None)
    assert thought(Thinking(effort="low"), "glm-5") == ({"type": "enabled", "budget_tokens": 4_096}, None)


def thinking_ruled_out() -> None:
    forced: dict[str, Any] = {
        "tools": (_LOOK,),
        "tool_choice": ToolChoice(mode="required"),
        "thinking": Thinking(effort="high"),
    }
    assert "thinking" not in write(**forced)
    assert "thinking" not in write(model=_OLD, **forced)
    after = user(ToolResult(call_id="call_1", content=()))
    assert "thinking" not in write(_HELLO, assistant(_CALL), after, model=_OLD, thinking=Thinking(effort="high"))
    signed = Reasoning(text="A", signature=mark("sig", "maker"))
    assert "thinking" in write(_HELLO, assistant(signed, _CALL), after, model=_OLD, thinking=Thinking(effort="high"))
    foreign = Reasoning(text="A", signature=mark("sig", "other"))
    assert "thinking" not in write(
        _HELLO, assistant(foreign, _CALL), after, model=_OLD, thinking=Thinking(effort="high")
    )
    assert "thinking" in write(_HELLO, assistant(_CALL), after, thinking=Thinking(effort="high"))


def no_thinking() -> None:
    for silence in (Thinking(budget=0), Thinking(effort="none")):
        assert write(thinking=silence)["thinking"] == {"type": "disabled"}
        assert write(thinking=silence, model="claude-sonnet-5-5")["thinking"] == {"type": "between_tools"}
        always = write(thinking=silence, model=_NEWEST)
        assert "thinking" not in always
        assert always["output_config"] == {"effort": "low"}


def sampling() -> None:
    given_all: dict[str, Any] = {"temperature": 1.4, "top_p": 0.5, "top_k": 4}
    found = write(**given_all)
    assert (found["temperature"], found["top_k"]) == (1.0, 4)
    assert "top_p" not in found
    assert write(top_p=0.5)["top_p"] == 0.5
    for members in ({"thinking": Thinking(effort="low")}, {"model": _NEWEST}):
        assert not write(**given_all, **members).keys() & {"temperature", "top_p", "top_k"}


def unknown_to_it() -> None:
    members: dict[str, Any] = {"frequency_penalty": 1.0, "presence_penalty": 1.0, "seed": 4, "verbosity": "low"}
    assert write(**members) == write()
    assert CODEC.not_carried(Conversation(turns=(_HELLO,), **members), sending()) == tuple(members)


def left_out() -> None:
    def lost(model: str = _NEW, **members: Any) -> tuple[str, ...]:
        return CODEC.not_carried(Conversation(turns=(_HELLO,), **members), sending(model))

    assert lost() == ()
    assert lost(temperature=0.5, top_k=3, thinking=Thinking(effort="none"), stop=("a",), user="u") == ()
    assert lost(temperature=0.5, top_p=0.5) == ("top_p",)
    assert lost(temperature=0.5, thinking=Thinking(effort="low")) == ("temperature",)
    forced = ToolChoice(mode="required")
    assert lost(_NEWEST, temperature=0.5, tools=(_LOOK,), tool_choice=forced) == ("temperature", "tool_choice")
    assert lost(tools=(_LOOK,), tool_choice=forced) == ()
    assert lost(_OLD, tools=(_LOOK,), tool_choice=forced, thinking=Thinking(effort="low")) == ("thinking",)
    assert lost(stop=("\n", "a"), user="u" * 257) == ("user",)


def stop() -> None:
    assert write(stop=("\n", "END"))["stop_sequences"] == ["END"]
    assert "stop_sequences" not in write(stop=("\n",))
    assert CODEC.cut_here(Conversation(turns=(), stop=("\n", "END")), sending()) == ("\n",)


def user_id() -> None:
    assert write(user="u")["metadata"] == {"user_id": "u"}
    assert "metadata" not in write(user="u" * 257)


def limit() -> None:
    assert write()["max_tokens"] == 8_000
    assert write(output_limit=700)["max_tokens"] == 700
    assert write(output_limit=700, lowered=300)["max_tokens"] == 300
    assert write(lowered=300)["max_tokens"] == 300


def stream() -> None:
    assert write(stream=True)["stream"] is True
    assert "stream" not in write()


CASES: dict[str, Callable[[], None]] = {
    "system turns": system_turns,
    "turns": turns,
    "texts": texts,
    "images, documents": images_and_documents,
    "audio, videos": audio_and_videos,
    "media of the assistant": media_of_the_assistant,
    "media of tool results": media_of_results,
    "errors of tools": errors_of_tools,
    "thoughts": thoughts,
    "cache hints": cache_hints,
    "tool names and ids": names_and_ids,
    "tool arguments": arguments,
    "custom tools": custom_tools,
    "tool choice": tool_choice,
    "parallel tool calls": parallel_calls,
    "output format": output_format,
    "thinking": thinking,
    "thinking ruled out": thinking_ruled_out,
    "no thinking": no_thinking,
    "sampling": sampling,
    "frequency_penalty, presence_penalty, seed, verbosity": unknown_to_it,
    "what is left out": left_out,
    "stop": stop,
    "user": user_id,
    "limit": limit,
    "stream": stream,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Messages: requests written") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


_TEXTS = st.builds(lambda text: Text(text=text), st.text(max_size=6))
_PARTS = st.one_of(
    _TEXTS,
    st.builds(
        lambda text, sig: Reasoning(text=text, signature=sig), st.text(max_size=4), st.none() | st.just(f"{MARK}x.y")
    ),
    st.builds(lambda i, a: ToolCall(id=i, name="look", arguments=a), st.text(max_size=4), st.text(max_size=6)),
    st.builds(lambda i, c: ToolResult(call_id=i, content=(c,)), st.text(max_size=4), _TEXTS),
)
_TURNS = st.one_of(
    st.builds(lambda parts: Turn(role="system", parts=tuple(parts)), st.lists(_TEXTS, min_size=1, max_size=2)),
    st.builds(lambda parts: Turn(role="user", parts=tuple(parts)), st.lists(_PARTS, min_size=1, max_size=3)),
    st.builds(lambda parts: Turn(role="assistant", parts=tuple(parts)), st.lists(_PARTS, min_size=1, max_size=3)),
)


@settings(max_examples=100)
@given(st.lists(_TURNS, min_size=1, max_size=6), st.sampled_from([_OLD, _NEW, _NEWEST, "x"]))
def test_whatever_is_written_takes_turns_and_has_no_empty_text(turns: list[Turn], model: str) -> None:
    messages = write(*turns, model=model)["messages"]
    assert [message["role"] for message in messages] == [("user", "assistant")[n % 2] for n in range(len(messages))]
    for message in messages:
        kinds = [block["type"] != "tool_result" for block in message["content"]]
        assert kinds
        assert kinds == sorted(kinds)
        assert all(block["text"] for block in message["content"] if block["type"] == "text")
