"""The emulator's Responses API, as OpenAI's own SDK reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.emulation import Providers, providers

pytestmark = pytest.mark.thorough  # the SDKs alone take seconds to load
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "name": "look_up", "strict": True, "parameters": SCHEMA}
REASONING: Any = {"effort": "low", "summary": "auto"}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="module")
def client(upstream: Providers) -> openai.OpenAI:
    return upstream.openai()


def ask(client: openai.OpenAI, given: Any = "Hi", **fields: Any) -> Any:
    return client.responses.create(**{"model": "gpt-5-mini", "input": given, **fields})


def stream(client: openai.OpenAI, given: Any = "Hi", **fields: Any) -> list[Any]:
    return list(ask(client, given, stream=True, **fields))


def shape(item: Any) -> dict[str, Any]:
    """An item without what is new each time."""
    return {name: value for name, value in item.to_dict().items() if name not in ("id", "call_id")}


@pytest.mark.parametrize("directive", ["output=20 cached=3", "tool=2", 'text="one two"', "nothing"])
def test_plain_and_streamed_answers_agree(client: openai.OpenAI, upstream: Providers, directive: str) -> None:
    fields = {"tools": [TOOL], "reasoning": REASONING}
    plain = ask(client, f"Hi [[{directive}]]", **fields)
    events = stream(client, f"Hi [[{directive}]]", **fields)
    last = events[-1].response
    assert events[-1].type == "response.completed"
    assert [shape(item) for item in last.output] == [shape(item) for item in plain.output]
    assert last.usage.to_dict() == plain.usage.to_dict() == upstream.last()["usage"]
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_every_part_is_opened_filled_and_closed(client: openai.OpenAI) -> None:
    names = [event.type for event in stream(client, "Hi [[output=3 reasoning=1]]", reasoning=REASONING)]
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    events = stream(client, "[[tool]]", tools=[TOOL])
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert "".join(pieces) == done.arguments == '{"word": "a plain value"}'


def test_a_custom_tool_takes_text(client: openai.OpenAI) -> None:
    tool = {"type": "custom", "name": "apply_patch", "description": "Applies a patch."}
    events = stream(client, "[[tool arguments='*** Begin Patch']]", tools=[tool])
    assert "response.custom_tool_call_input.done" in [event.type for event in events]
    call = events[-1].response.output[0]
    assert (call.type, call.input) == ("custom_tool_call", "*** Begin Patch")
    inside = {"type": "namespace", "name": "files", "description": "", "tools": [TOOL]}
    assert ask(client, "[[tool]]", tools=[inside]).output[0].namespace == "files"


def test_a_tool_round_trip_on_stored_responses(client: openai.OpenAI, upstream: Providers) -> None:
    first = ask(client, "Look it up [[tool]]", tools=[TOOL], reasoning=REASONING)
    call = first.output[-1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "42"}
    second = ask(client, [result], tools=[TOOL], previous_response_id=first.id)
    assert second.output_text.startswith("the quick")
    assert second.usage.input_tokens > first.usage.input_tokens
    assert client.responses.retrieve(second.id).output_text == second.output_text
    assert [item.type for item in client.responses.input_items.list(second.id)] == ["function_call_output"]
    client.responses.delete(second.id)
    for foreign in (client, upstream.openai("sk-other")):
        with pytest.raises(openai.NotFoundError):
            foreign.responses.retrieve(second.id if foreign is client else first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(upstream.openai("sk-other"), previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_tool_round_trip_without_a_store(client: openai.OpenAI) -> None:
    fields = {"tools": [TOOL], "reasoning": REASONING, "store": False, "include": ["reasoning.encrypted_content"]}
    given: list[Any] = [{"role": "user", "content": "[[tool]]"}]
    first = ask(client, given, **fields)
    items = [item.to_dict() for item in first.output]
    result = {"type": "function_call_output", "call_id": first.output[-1].call_id, "output": "42"}
    assert ask(client, [*given, *items, result], **fields).status == "completed"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    items[0]["encrypted_content"] = "c29tZW9uZSBlbHNl"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, [*given, *items, result], **fields)
    assert caught.value.code == "invalid_encrypted_content"


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("[[output=90]]", {"max_output_tokens": 20}, "max_output_tokens"),
        ("[[refuse]]", {}, "content_filter"),
    ],
)
def test_incomplete_answers(client: openai.OpenAI, text: str, fields: dict[str, Any], reason: str) -> None:
    plain, last = ask(client, text, **fields), stream(client, text, **fields)[-1]
    assert (plain.status, last.type) == ("incomplete", "response.incomplete")
    assert plain.incomplete_details.reason == last.response.incomplete_details.reason == reason


def test_structured_output_and_counting(client: openai.OpenAI) -> None:
    text = {"format": {"type": "json_schema", "name": "found", "schema": SCHEMA, "strict": True}}
    assert ask(client, text=text).output_text == '{"word": "a plain value"}'
    counted = client.responses.input_tokens.count(model="gpt-5-mini", input="one two")
    assert counted.input_tokens == ask(client, "one two").usage.input_tokens == 9


CALL = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "42"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"extra_body": {"max_tokens": 5}}, "unknown_parameter"),
        ({"max_output_tokens": 5}, "integer_below_min_value"),
        ({"input": [RESULT]}, None),
        ({"input": [CALL]}, None),
        ({"input": [{"role": "tool", "content": "x"}]}, "invalid_value"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "invalid_value"),
        ({"input": [CALL | {"id": "call_9"}, RESULT]}, "invalid_value"),
        ({"input": [CALL | {"call_id": "c" * 65}]}, "string_above_max_length"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, None),
        ({"tools": [{"type": "function", "name": "no spaces", "parameters": {}}]}, "invalid_value"),
        ({"previous_response_id": "resp_none"}, "previous_response_not_found"),
    ],
)
def test_refused_requests(client: openai.OpenAI, fields: dict[str, Any], code: str | None) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, **fields)
    assert caught.value.status_code in (400, 404)
    assert caught.value.code == code


def test_faults_inside_a_stream(client: openai.OpenAI) -> None:
    failed = stream(client, "[[error=4 code=rate_limit_exceeded]]")[-1]
    assert (failed.type, failed.response.status) == ("response.failed", "failed")
    assert failed.response.error.code == "rate_limit_exceeded"
    bare = stream(client, "[[error=4 code=error_event]]")[-1]
    assert (bare.type, bare.sequence_number) == ("error", 4)


def test_faults_before_an_answer(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "[[too_long]]")
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.RateLimitError) as limited:
        ask(client, "[[status=429 code=insufficient_quota]]")
    assert limited.value.code == "insufficient_quota"


def test_the_chat_api_has_the_same_abilities(client: openai.OpenAI, upstream: Providers) -> None:
    tool: Any = {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}
    messages: list[Any] = [{"role": "user", "content": "Look it up [[tool]]"}]
    first = client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=[tool], reasoning_effort="low")
    assert first.choices[0].finish_reason == "tool_calls"
    calls: Any = first.choices[0].message.tool_calls
    assert calls[0].function.arguments == '{"word": "a plain value"}'
    result: Any = {"role": "tool", "tool_call_id": calls[0].id, "content": "42"}
    messages += [first.choices[0].message.to_dict(), result]
    second = client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=[tool])
    assert (second.choices[0].message.content or "").startswith("the quick")
    assert upstream.last()["classes"] == {"input": second.usage.prompt_tokens if second.usage else 0, "output": 16}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "found", "schema": SCHEMA}}
    said = client.chat.completions.create(model="gpt-5-mini", messages=messages[:1], response_format=wanted, tools=[])
    assert said.choices[0].finish_reason == "tool_calls"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-5-mini", messages=[messages[0], result])
