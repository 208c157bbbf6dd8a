"""The emulator's Messages API, as Anthropic's own SDK reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.support.emulation import Providers, providers

pytestmark = pytest.mark.thorough  # the SDKs alone take seconds to load
MODEL = "claude-sonnet-5-5"
TOOL: Any = {
    "name": "look_up",
    "description": "Looks something up.",
    "input_schema": {
        "type": "object",
        "properties": {"word": {"type": "string"}, "times": {"type": "integer"}},
        "required": ["word", "times"],
    },
}
THINKING: Any = {"type": "adaptive"}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def client(upstream: Providers) -> anthropic.Anthropic:
    return upstream.anthropic()


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def say(client: anthropic.Anthropic, text: str = "Hi", **fields: Any) -> anthropic.types.Message:
    wanted: dict[str, Any] = {"model": MODEL, "max_tokens": 2000, "messages": [user(text)], **fields}
    found: anthropic.types.Message = client.messages.create(**wanted)
    return found


def stream(client: anthropic.Anthropic, text: str = "Hi", **fields: Any) -> tuple[list[Any], anthropic.types.Message]:
    wanted: dict[str, Any] = {"model": MODEL, "max_tokens": 2000, "messages": [user(text)], **fields}
    with client.messages.stream(**wanted) as events:
        seen = list(events)
        return seen, events.get_final_message()


def test_plain_and_streamed_answers_agree(client: anthropic.Anthropic, upstream: Providers) -> None:
    asked: Any = {"tools": [TOOL], "thinking": THINKING}
    text = "Go [[output=40 cached=10 cache_write=6 cache_write_hour=4 input=50]]"
    plain = say(client, text, **asked)
    events, streamed = stream(client, text, **asked)
    assert [block.to_dict() for block in plain.content] == [block.to_dict() for block in streamed.content]
    assert plain.usage.to_dict() == streamed.usage.to_dict()
    assert plain.stop_reason == streamed.stop_reason == "end_turn"
    usage = plain.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (30, 10, 10)
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_5m_input_tokens == 6
    assert usage.cache_creation.ephemeral_1h_input_tokens == 4
    line = upstream.last()
    assert line["classes"] == {"input": 30, "cached_input": 10, "cache_write": 6, "cache_write_1h": 4, "output": 40}
    assert (line["dialect"], line["reasoning_tokens"], line["finished"]) == ("anthropic", 8, True)
    assert line["usage"]["output_tokens"] == streamed.usage.output_tokens == 40
    assert [event.type for event in events][:2] == ["message_start", "content_block_start"]


def test_the_raw_events_have_names_a_ping_and_a_first_usage(client: anthropic.Anthropic) -> None:
    fields: Any = {"model": MODEL, "max_tokens": 99, "messages": [user("Hi [[output=2]]")], "stream": True}
    with client.messages.with_streaming_response.create(**fields) as response:
        lines = list(response.iter_lines())
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    first = next(line for line in lines if "message_start" in line and line.startswith("data: "))
    assert '"ephemeral_1h_input_tokens":0' in first
    last = next(line for line in lines if "message_delta" in line and line.startswith("data: "))
    assert '"output_tokens":2' in last
    assert "ephemeral" not in last


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_round_trip(client: anthropic.Anthropic, *, streamed: bool) -> None:
    def ask(**fields: Any) -> anthropic.types.Message:
        return stream(client, **fields)[1] if streamed else say(client, **fields)

    messages = [user("Look it up [[tool=2]]")]
    asked: Any = {"tools": [TOOL], "thinking": THINKING}
    first = ask(messages=messages, **asked)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("look_up", {"word": "a plain value", "times": 1})] * 2
    assert (first.stop_reason, first.content[0].type, calls[0].id != calls[1].id) == ("tool_use", "thinking", True)
    results: Any = [{"type": "tool_result", "tool_use_id": call.id, "content": "42"} for call in calls]
    messages += [{"role": "assistant", "content": [block.to_dict() for block in first.content]}]
    messages += [{"role": "user", "content": results}]
    second = ask(messages=messages, **asked)
    assert (second.stop_reason, second.content[-1].type) == ("end_turn", "text")


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("Hi", {"max_tokens": 3}, "max_tokens"),
        ("[[refuse]]", {}, "refusal"),
        ('[[text="one two STOP three"]]', {"stop_sequences": ["STOP"]}, "stop_sequence"),
        ("Hi", {"tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_use"),
    ],
)
def test_stop_reasons(client: anthropic.Anthropic, text: str, fields: dict[str, Any], reason: str) -> None:
    assert say(client, text, **fields).stop_reason == reason
    assert stream(client, text, **fields)[1].stop_reason == reason


def test_structured_output(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer = say(client, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert answer.content[0].to_dict()["text"] == '{"n": 1}'


def test_marked_blocks_are_cached(client: anthropic.Anthropic, upstream: Providers) -> None:
    for mark, written in (
        ({"type": "ephemeral"}, "cache_write"),
        ({"type": "ephemeral", "ttl": "1h"}, "cache_write_1h"),
    ):
        blocks: Any = [{"type": "text", "text": "word " * 200, "cache_control": mark}]
        answer = say(client, messages=[{"role": "user", "content": blocks}])
        total = 3 + 4 + 200
        assert answer.usage.cache_read_input_tokens == 96
        assert answer.usage.cache_creation_input_tokens == 32
        assert upstream.last()["classes"] == {"input": total - 128, "cached_input": 96, written: 32, "output": 16}
    assert say(client, "word " * 200).usage.cache_read_input_tokens == 0


def test_compaction_and_server_tools_are_in_the_usage(client: anthropic.Anthropic, upstream: Providers) -> None:
    answer = client.beta.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=[user("[[compaction_input=70 compaction_output=9 web_search=2]]")],
        betas=["compact-2026-01-12"],
        speed="fast",
    )
    assert [item.type for item in answer.usage.iterations or ()] == ["compaction", "message"]
    assert answer.usage.server_tool_use is not None
    assert (answer.usage.server_tool_use.web_search_requests, answer.usage.speed) == (2, "fast")
    line = upstream.last()
    assert line["classes"] == {"input": 80, "output": 25, "tool_call": 2}
    assert line["headers"]["anthropic-beta"] == "compact-2026-01-12"
    assert '"speed":"fast"' in line["body"]


def test_counting_and_models(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model=MODEL, messages=[user("one two")]).input_tokens == 9
    assert say(client, "one two").usage.input_tokens == 9
    names = [model.id for model in client.models.list()]
    assert client.models.retrieve(names[0]).id == names[0]


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c29tZW9uZSBlbHNl"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message"),
        ({"messages": [user("x"), {"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
        ({"messages": [user("x"), {"role": "assistant", "content": [CALL]}, user("y")]}, "without `tool_result`"),
        ({"messages": [user("x"), {"role": "assistant", "content": [CALL]}]}, "without `tool_result`"),
        ({"messages": [user("x"), {"role": "assistant", "content": [THOUGHT]}, user("y")]}, "Invalid `signature`"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "must be non-empty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"max_completion_tokens": 5}}, "Extra inputs are not permitted"),
        ({"extra_body": {"context_management": {}}}, "context_management: Extra inputs"),
        ({"thinking": {"type": "enabled", "budget_tokens": 3000}}, "must be greater than"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": THINKING}, "forces tool use"),
    ],
)
def test_refused_requests(client: anthropic.Anthropic, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        say(client, **fields)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "invalid_request_error"


def test_a_result_has_to_come_before_other_content(client: anthropic.Anthropic) -> None:
    late = {"role": "user", "content": [{"type": "text", "text": "so"}, RESULT]}
    early = {"role": "user", "content": [RESULT, {"type": "text", "text": "so"}]}
    before = [user("x"), {"role": "assistant", "content": [CALL]}]
    with pytest.raises(anthropic.BadRequestError):
        say(client, messages=[*before, late])
    assert say(client, messages=[*before, early]).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("directive", "kind", "status"),
    [
        ("status=529", "overloaded_error", 529),
        ("status=429 retry_after=1", "rate_limit_error", 429),
        ("too_long", "invalid_request_error", 400),
        ('status=400 code=billing_error message="no money"', "billing_error", 400),
    ],
)
def test_faults_in_its_own_words(client: anthropic.Anthropic, directive: str, kind: str, status: int) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        say(client, f"[[{directive}]]")
    assert isinstance(caught.value.body, dict)
    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (status, kind)


def test_an_error_inside_a_stream(client: anthropic.Anthropic, upstream: Providers) -> None:
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        stream(client, "[[error=5]]")
    line = upstream.last()
    assert (line["usage"], line["fault"], line["first_usage"]["input_tokens"]) == (None, "error", 8)


def test_keys_and_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = ("--api-key", "sk-right", "--model", MODEL)
    with providers(tmp_path_factory.mktemp("strict"), *options) as strict:
        with pytest.raises(anthropic.AuthenticationError):
            say(strict.anthropic("sk-wrong"))
        with pytest.raises(anthropic.NotFoundError, match="model: claude-other"):
            say(strict.anthropic("sk-right"), model="claude-other")
        assert say(strict.anthropic("sk-right")).usage.output_tokens == 16
        assert [line["status"] for line in strict.journal()] == [401, 404, 200]
