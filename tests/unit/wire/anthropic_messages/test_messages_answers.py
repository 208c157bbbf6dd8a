"""Answers between messages and the intermediate form, whole and streamed: a test for each row of the table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reseller_kit.core.errors import ServiceUnavailable, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.anthropic_messages import CODEC, decode
from reseller_kit.wire.codec import Call, Reply
from reseller_kit.wire.completion import (
    Completion,
    Event,
    Finish,
    Finished,
    PartEnded,
    PartGrew,
    PartStarted,
)
from reseller_kit.wire.conversation import Media, Reasoning, Text, ToolCall, ToolNames
from reseller_kit.wire.signatures import mark
from tests.unit.wire.translation_table import rows_of

_REPLY = Reply(model="aurora-fast", request_id="req_1", maker="maker")
_USAGE = Usage(input_tokens=9, cached_input_tokens=2, output_tokens=4, reasoning_tokens=1)
_LONG = "mcp__" + "x" * 90


def call_with(**members: Any) -> Call:
    document = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **members}
    return decode(json.dumps(document, separators=(",", ":")).encode())


_THINKING = call_with(thinking={"type": "adaptive"}, tools=[{"name": _LONG}])
_SILENT = call_with()
_HIDDEN = call_with(thinking={"type": "adaptive", "display": "omitted"})


def plain(completion: Completion, call: Call = _THINKING) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(CODEC.write_completion(completion, call, _REPLY, _USAGE))
    return document


def events_of_parts(completion: Completion) -> list[Event]:
    """A completion as the events of a stream, each text in two pieces."""
    events: list[Event] = []
    for part in completion.parts:
        if isinstance(part, Text):
            pieces, ended = part.text, PartEnded()
            events.append(PartStarted(kind="refusal" if part.refusal else "text"))
        elif isinstance(part, Reasoning):
            pieces, ended = part.text, PartEnded(signature=part.signature, maker=part.maker, redacted=part.redacted)
            events.append(PartStarted(kind="reasoning"))
        elif isinstance(part, ToolCall):
            pieces, ended = part.arguments, PartEnded(signature=part.signature, maker=part.maker)
            events.append(PartStarted(kind="tool_call", call_id=part.id, name=part.name))
        else:
            continue
        events += [PartGrew(piece) for piece in (pieces[:2], pieces[2:]) if piece]
        events.append(ended)
    return [*events, Finished(finish=completion.finish, stop_sequence=completion.stop_sequence)]


def parse(sent: bytes) -> list[dict[str, Any]]:
    parts = sent.split(b"\n\n")
    assert parts.pop() == b""
    found = []
    for part in parts:
        name, data = part.split(b"\n")
        document = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + document["type"].encode()
        found.append(document)
    return found


def streamed(completion: Completion, call: Call = _THINKING, reply: Reply = _REPLY) -> dict[str, Any]:
    """The message that a client puts together from the events, as the vendor's libraries do."""
    writer = CODEC.event_writer(call, reply)
    sent = b"".join(map(writer.write, events_of_parts(completion)))
    assert b"message_delta" not in sent
    events = parse(sent + writer.finish(_USAGE))
    assert events[0]["type"] == "message_start"
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    message: dict[str, Any] = events[0]["message"]
    inputs: dict[int, str] = {}
    for event in events[1:-1]:
        if event["type"] == "content_block_start":
            assert event["index"] == len(message["content"])
            message["content"].append(event["content_block"])
        elif event["type"] == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            for member in ("text", "thinking", "signature"):
                block[member] = block.get(member, "") + delta[member] if member in delta else block.get(member, "")
                if not block[member] and member not in delta:
                    del block[member]
    for index, text in inputs.items():
        message["content"][index]["input"] = json.loads(text)
    message |= events[-2]["delta"]
    message["usage"] |= events[-2]["usage"]
    return message


def both(*parts: Any, call: Call = _THINKING, finish: Finish = "stop", stop_sequence: str | None = None) -> Any:
    """The content of the answer, which is the same whole and streamed."""
    completion = Completion(parts=parts, finish=finish, stop_sequence=stop_sequence)
    whole, pieces = plain(completion, call), streamed(completion, call)
    assert whole["content"] == pieces["content"]
    assert (whole["stop_reason"], whole["stop_sequence"]) == (pieces["stop_reason"], pieces["stop_sequence"])
    for message in (whole, pieces):
        assert (message["id"], message["model"], message["role"]) == ("msg_1", "aurora-fast", "assistant")
    return whole["content"]


def reason(finish: Finish, *parts: Any, stop_sequence: str | None = None) -> str:
    both(*parts, finish=finish, stop_sequence=stop_sequence)
    found: str = plain(Completion(parts=parts, finish=finish, stop_sequence=stop_sequence))["stop_reason"]
    return found


def texts() -> None:
    assert both(Text(text="Hello"), Text(text="No", refusal=True)) == [
        {"type": "text", "text": "Hello"},
        {"type": "text", "text": "No"},
    ]


def thoughts() -> None:
    parts = (
        Reasoning(text="Hmm", signature="sig", maker="other"),
        Reasoning(text="Unsigned"),
        Reasoning(text="", signature="sig", redacted=True),
        Text(text="A"),
    )
    assert both(*parts) == [
        {"type": "thinking", "thinking": "Hmm", "signature": mark("sig", "other")},
        {"type": "thinking", "thinking": "Unsigned", "signature": mark("", "maker")},
        {"type": "redacted_thinking", "data": mark("sig", "maker")},
        {"type": "text", "text": "A"},
    ]
    for call in (_SILENT, _HIDDEN):
        assert both(*parts, call=call) == [{"type": "text", "text": "A"}]


def signatures_of_calls() -> None:
    call = ToolCall(id="call_1", name="look", arguments="{}", signature="sig", maker="maker")
    for caller in (_THINKING, _SILENT):
        assert both(call, call=caller)[1] == {"type": "redacted_thinking", "data": "call:" + mark("sig", "maker")}


def tool_calls() -> None:
    short = ToolNames([_LONG]).fit(_LONG)
    assert both(
        ToolCall(id="call_1", name="look", arguments='{"at":1}'),
        ToolCall(id="functions.look:0", name=short, arguments=""),
    ) == [
        {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1}},
        {
            "type": "tool_use",
            "id": both(ToolCall(id="functions.look:0", name="x", arguments=""))[0]["id"],
            "name": _LONG,
            "input": {},
        },
    ]
    broken = Completion(parts=(ToolCall(id="c", name="look", arguments="[1"),), finish="length")
    assert plain(broken)["content"][0]["input"] == {"input": "[1"}


def media() -> None:
    (block,) = plain(Completion(parts=(Media(kind="image", data="AAAA"),), finish="stop"))["content"]
    assert "image content" in block["text"]


def stop() -> None:
    assert reason("stop", Text(text="A")) == "end_turn"
    assert reason("stop", Text(text="A"), stop_sequence="END") == "stop_sequence"
    assert reason("stop", ToolCall(id="c", name="look", arguments="{}")) == "tool_use"


def usage() -> None:
    completion = Completion(parts=(Text(text="A"),), finish="stop")
    for message in (plain(completion), streamed(completion)):
        counts = {name: figure for name, figure in message["usage"].items() if name.endswith("_tokens")}
        assert counts == {
            "input_tokens": 9,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 2,
            "output_tokens": 4,
        }
    # What is likely stands there until the whole is known; every figure of it is then replaced.
    likely = replace(_REPLY, likely_input=70)
    message = streamed(completion, reply=likely)
    assert message["usage"] == streamed(completion)["usage"]
    (start,) = parse(CODEC.event_writer(_THINKING, likely).write(PartStarted(kind="text")))[:1]
    found = start["message"]["usage"]
    assert (found["input_tokens"], found["cache_read_input_tokens"], found["output_tokens"]) == (70, 0, 0)


def reason_row(finish: Finish, expected: str) -> Callable[[], None]:
    def check() -> None:
        assert reason(finish, Text(text="A")) == expected

    return check


def refusal() -> None:
    assert reason("content_filter", Text(text="A")) == reason("refusal", Text(text="A")) == "refusal"


CASES: dict[str, Callable[[], None]] = {
    "texts, refusals": texts,
    "thoughts": thoughts,
    "signatures of tool calls": signatures_of_calls,
    "tool calls": tool_calls,
    "media": media,
    "finish: stop": stop,
    "finish: length": reason_row("length", "max_tokens"),
    "finish: tool_calls": reason_row("tool_calls", "tool_use"),
    "finish: content_filter, refusal": refusal,
    "finish: pause": reason_row("pause", "pause_turn"),
    "finish: context_length": reason_row("context_length", "model_context_window_exceeded"),
    "usage": usage,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert rows_of("Messages: answers") == list(CASES)


@pytest.mark.parametrize("row", CASES)
def test_row(row: str) -> None:
    CASES[row]()


_CONTENT: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm", "signature": "sig"},
    {"type": "redacted_thinking", "data": "enc"},
    {"type": "text", "text": "Hello"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
    {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}},
]
_PARTS = (
    Reasoning(text="Hm", signature="sig", maker="maker"),
    Reasoning(text="", signature="enc", maker="maker", redacted=True),
    Text(text="Hello"),
    ToolCall(id="toolu_1", name="look", arguments='{"at":1}'),
    ToolCall(id="toolu_2", name="look", arguments="{}"),
)


def message_body(**members: Any) -> bytes:
    message = {
        "type": "message",
        "content": _CONTENT,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 4},
        **members,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def upstream_events(content: list[dict[str, Any]], reason: str = "tool_use") -> list[bytes]:
    """A message as Anthropic's stream sends it."""

    def event(kind: str, **members: Any) -> bytes:
        data = json.dumps({"type": kind, **members}, separators=(",", ":"))
        return f"event: {kind}\ndata: {data}\n\n".encode()

    def delta(index: int, kind: str, member: str, text: str) -> list[bytes]:
        pieces = [piece for piece in (text[:2], text[2:]) if piece]
        return [event("content_block_delta", index=index, delta={"type": kind, member: piece}) for piece in pieces]

    found = [event("message_start", message={"usage": {"input_tokens": 9, "output_tokens": 1}}), event("ping")]
    for index, block in enumerate(content):
        opening = {**block}
        deltas: list[bytes] = []
        if block["type"] == "text":
            opening["text"] = ""
            deltas = delta(index, "text_delta", "text", block["text"])
        elif block["type"] == "thinking":
            opening |= {"thinking": "", "signature": ""}
            deltas = delta(index, "thinking_delta", "thinking", block["thinking"])
            deltas += delta(index, "signature_delta", "signature", block["signature"])
        elif block["type"].endswith("tool_use"):
            opening["input"] = {}
            if block["input"]:
                deltas = delta(
                    index, "input_json_delta", "partial_json", json.dumps(block["input"], separators=(",", ":"))
                )
        found += [event("content_block_start", index=index, content_block=opening), *deltas]
        found.append(event("content_block_stop", index=index))
    found.append(event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 4}))
    return [*found, event("message_stop")]


def collect(events: list[Event]) -> tuple[list[Any], Finished | None]:
    """The parts that a reader's events make up; sees that at most one is open."""
    parts: list[Any] = []
    begun: PartStarted | None = None
    text = ""
    finished = None
    for event in events:
        if isinstance(event, PartStarted):
            assert begun is None
            begun, text = event, ""
        elif isinstance(event, PartGrew):
            assert begun is not None
            assert event.text
            text += event.text
        elif isinstance(event, PartEnded):
            assert begun is not None
            parts.append(_part(begun, text, event))
            begun = None
        else:
            assert begun is None
            assert finished is None
            finished = event
    return parts, finished


def _part(begun: PartStarted, text: str, ended: PartEnded) -> Any:
    if begun.kind == "tool_call":
        return ToolCall(id=begun.call_id, name=begun.name, arguments=text)
    if begun.kind == "reasoning":
        return Reasoning(text=text, signature=ended.signature, maker=ended.maker, redacted=ended.redacted)
    return Text(text=text)


def test_a_message_is_read_whole_and_streamed_alike() -> None:
    completion = CODEC.read_completion(message_body(), _REPLY)
    assert completion == Completion(parts=_PARTS, finish="tool_calls", usage=Usage(input_tokens=9, output_tokens=4))
    reader = CODEC.event_reader(_REPLY)
    events = [event for piece in upstream_events(_CONTENT) for event in reader.feed(piece)]
    parts, finished = collect(events)
    assert tuple(parts) == _PARTS
    assert finished == Finished(finish="tool_calls")
    assert (reader.done, reader.error, reader.usage) == (True, None, completion.usage)
    assert reader.end() == reader.feed(b"data: {}\n\n") == []


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2_000), max_size=10))
def test_any_split_reads_the_same(cuts: list[int]) -> None:
    whole = b"".join(upstream_events(_CONTENT))
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    reader = CODEC.event_reader(_REPLY)
    events = [event for a, b in itertools.pairwise(edges) for event in reader.feed(whole[a:b])]
    assert tuple(collect(events)[0]) == _PARTS


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context_length"),
        ("news", "stop"),
    ],
)
def test_reasons_are_read(reason: str, finish: str) -> None:
    assert CODEC.read_completion(message_body(stop_reason=reason), _REPLY).finish == finish
    reader = CODEC.event_reader(_REPLY)
    events = reader.feed(b"".join(upstream_events([], reason)))
    assert events == [Finished(finish=finish)]
    assert finish in get_args(Finish)


def test_the_stop_sequence_is_read() -> None:
    body = message_body(stop_reason="stop_sequence", stop_sequence="END")
    assert CODEC.read_completion(body, _REPLY).stop_sequence == "END"


def test_a_stream_that_ends_after_the_reason_is_finished_and_a_cut_one_is_not() -> None:
    pieces = upstream_events(_CONTENT)
    reader = CODEC.event_reader(_REPLY)
    reader.feed(b"".join(pieces[:-1]))
    assert reader.end() == [Finished(finish="tool_calls")]
    cut = CODEC.event_reader(_REPLY)
    cut.feed(b"".join(pieces[:8]))
    assert cut.end() == []
    assert (cut.done, cut.error) == (False, None)


def test_a_delta_says_what_its_type_names_and_nothing_else() -> None:
    reader = CODEC.event_reader(_REPLY)
    pieces = upstream_events(_CONTENT)
    odd = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","text":"x"}}\n\n'
    assert reader.feed(b"".join(pieces[:3])) == [PartStarted(kind="reasoning")]
    assert reader.feed(odd) == []
    assert reader.error is None


def test_an_error_ends_the_reading() -> None:
    reader = CODEC.event_reader(_REPLY)
    pieces = upstream_events(_CONTENT)
    reader.feed(b"".join(pieces[:5]))
    failure = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    assert reader.feed(failure + pieces[5]) == []
    assert isinstance(reader.error, UpstreamFailed)
    assert reader.end() == []


def test_a_failed_stream_shows_the_error_alone() -> None:
    writer = CODEC.event_writer(_THINKING, _REPLY)
    writer.write(PartStarted(kind="text"))
    writer.write(PartGrew("A"))
    (event,) = parse(writer.fail(ServiceUnavailable("Try again.")))
    assert event["error"] == {"type": "overloaded_error", "message": "Try again."}
    assert parse(writer.ping()) == [{"type": "ping"}]


def test_an_answer_without_parts_is_a_message_all_the_same() -> None:
    message = streamed(Completion(parts=(), finish="stop"))
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")


def test_what_is_written_is_read_again() -> None:
    answered = plain(Completion(parts=_PARTS, finish="tool_calls"))
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": answered["content"]}]
    found = CODEC.to_conversation(call_with(messages=turns)).turns[1].parts
    assert found == (
        Reasoning(text="Hm", signature=mark("sig", "maker")),
        Reasoning(text="", signature=mark("enc", "maker"), redacted=True),
        *_PARTS[2:],
    )
