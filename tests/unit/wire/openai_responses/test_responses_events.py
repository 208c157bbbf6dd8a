"""Streams of Responses upstreams read as events, and events written as streams for callers of Responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from reseller_kit.core.errors import InsufficientCredit, ServiceUnavailable
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Event, EventReader, Finished, PartEnded, PartGrew, PartStarted
from reseller_kit.wire.openai_responses import CODEC, decode
from reseller_kit.wire.openai_responses.writer import EventWriter
from reseller_kit.wire.signatures import unmark
from tests.unit.wire.openai_responses import test_responses_answers as test_answers
from tests.unit.wire.translation_table import rows_of

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
USAGE = Usage(input_tokens=9, output_tokens=4)
_REPORT = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
_SDK: Any = TypeAdapter(ResponseStreamEvent)
_TEXT = {"type": "output_text", "text": "AB", "annotations": []}
_MESSAGE = {"id": "msg_up", "type": "message", "role": "assistant", "content": [_TEXT]}
_CALL = {"id": "fc_up", "type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":1}'}
_THOUGHT = {"id": "rs_up", "type": "reasoning", "summary": [], "encrypted_content": "sig"}


def event(kind: str, index: int = 0, **members: Any) -> bytes:
    data = json.dumps({"type": f"response.{kind}", "output_index": index, **members})
    return f"event: response.{kind}\ndata: {data}\n\n".encode()


def end(status: str = "completed", **members: Any) -> bytes:
    return event(status, response={"id": "resp_up", "status": status, "usage": _REPORT, "output": [], **members})


def read(*pieces: bytes) -> tuple[list[Event], EventReader]:
    reader = CODEC.event_reader(REPLY)
    events = [found for piece in pieces for found in reader.feed(piece)]
    return events + reader.end(), reader


def simplified(events: list[Event]) -> list[Any]:
    """Parts with their whole text: `(kind, name, text)`, and the reason to finish."""
    found: list[Any] = []
    for one in events:
        if isinstance(one, PartStarted):
            found.append((one.kind, one.name, ""))
        elif isinstance(one, PartGrew):
            kind, name, text = found[-1]
            found[-1] = (kind, name, text + one.text)
        elif isinstance(one, Finished):
            found.append(one.finish)
    return found


def check_order(events: list[Event]) -> None:
    """At most one part is open at a time, and nothing is open at the end of a finished answer."""
    is_open = False
    for one in events:
        if isinstance(one, PartStarted):
            assert not is_open
            is_open = True
        elif isinstance(one, PartGrew):
            assert is_open
        elif isinstance(one, PartEnded):
            assert is_open
            is_open = False
        else:
            assert not is_open
            assert one is events[-1]


def test_thoughts_text_and_calls_are_read() -> None:
    custom = {"id": "ctc_up", "type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"}
    events, reader = read(
        event("created", response={}),
        event("output_item.added", 0, item={**_THOUGHT, "encrypted_content": None}),
        event("reasoning_summary_part.added", 0, summary_index=0),
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="Hm"),
        event("reasoning_summary_part.added", 0, summary_index=1),
        event("reasoning_summary_text.delta", 0, summary_index=1, delta="So"),
        event("output_item.done", 0, item=_THOUGHT),
        event("output_item.added", 1, item={**_MESSAGE, "content": []}),
        event("output_text.delta", 1, delta="A"),
        event("output_text.delta", 1, delta="B"),
        event("output_item.done", 1, item=_MESSAGE),
        event("output_item.added", 2, item={**_CALL, "arguments": ""}),
        event("function_call_arguments.delta", 2, delta='{"at":1}'),
        event("output_item.done", 2, item=_CALL),
        event("output_item.added", 3, item={**custom, "input": ""}),
        event("custom_tool_call_input.delta", 3, delta="*** Begin"),
        event("output_item.done", 3, item=custom),
        end(),
    )
    assert events == [
        PartStarted(kind="reasoning"),
        PartGrew("Hm"),
        PartGrew("\n\n"),
        PartGrew("So"),
        PartEnded(signature="sig", maker="maker"),
        PartStarted(kind="text"),
        PartGrew("A"),
        PartGrew("B"),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="c1", name="look"),
        PartGrew('{"at":1}'),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="c2", name="patch", custom=True),
        PartGrew("*** Begin"),
        PartEnded(),
        Finished(finish="tool_calls"),
    ]
    assert (reader.usage, reader.done, reader.error) == (USAGE, True, None)


def test_items_without_pieces_are_read_whole() -> None:
    events, _ = read(
        event("output_item.done", 0, item=_THOUGHT),
        event("output_item.done", 1, item=_MESSAGE),
        event("output_item.added", 2, item={**_CALL, "arguments": ""}),
        event("output_item.done", 2, item=_CALL),
        end(),
    )
    check_order(events)
    assert events[:2] == [PartStarted(kind="reasoning"), PartEnded(signature="sig", maker="maker", redacted=True)]
    assert simplified(events)[1:] == [("text", "", "AB"), ("tool_call", "look", '{"at":1}'), "tool_calls"]


def test_interleaved_items_come_one_after_the_other() -> None:
    second = {**_CALL, "call_id": "c2", "name": "go"}
    events, _ = read(
        event("output_item.added", 0, item={**_CALL, "arguments": ""}),
        event("output_item.added", 1, item={**second, "arguments": ""}),
        event("function_call_arguments.delta", 1, delta="{"),
        event("function_call_arguments.delta", 0, delta="{}"),
        event("function_call_arguments.delta", 1, delta="}"),
        event("output_item.done", 1, item=second),
        event("output_item.done", 0, item=_CALL),
        end(),
    )
    check_order(events)
    assert simplified(events) == [("tool_call", "look", "{}"), ("tool_call", "go", "{}"), "tool_calls"]


def test_what_waited_comes_as_soon_as_it_can() -> None:
    reader = CODEC.event_reader(REPLY)
    reader.feed(event("output_item.added", 0, item={**_CALL, "arguments": ""}))
    assert reader.feed(event("output_text.delta", 1, delta="A")) == []
    events = reader.feed(event("output_item.done", 0, item=_CALL))
    assert simplified([PartStarted(kind="text"), *events])[1:] == [("text", "", "A")]


def test_what_comes_after_the_end_of_its_item_means_nothing() -> None:
    events, _ = read(event("output_item.done", item=_MESSAGE), event("output_text.delta", delta="AB"), end())
    assert simplified(events) == [("text", "", "AB"), "stop"]


def test_items_that_are_all_numbered_alike_are_told_apart() -> None:
    added = event("output_item.added", item={**_MESSAGE, "content": []})
    events, _ = read(*(added, event("output_item.done", item=_MESSAGE)) * 2, end())
    assert simplified(events) == [("text", "", "AB"), ("text", "", "AB"), "stop"]


def test_what_is_open_at_the_end_is_ended() -> None:
    events, _ = read(
        event("output_text.delta", 0, delta="A"),
        event("refusal.delta", 1, delta="No"),
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    )
    check_order(events)
    assert simplified(events) == [("text", "", "A"), ("refusal", "", "No"), "length"]


def test_a_refusal_is_a_reason_to_finish() -> None:
    assert simplified(read(event("refusal.delta", delta="No"), end())[0]) == [("refusal", "", "No"), "refusal"]


def test_a_cut_stream_is_not_done() -> None:
    events, reader = read(event("output_text.delta", delta="A"))
    assert (simplified(events), reader.done, reader.error) == ([("text", "", "A")], False, None)


@pytest.mark.parametrize(
    "piece",
    [
        end("failed", error={"code": "server_error", "message": "x"}),
        b'event: error\ndata: {"type":"error","message":"x"}\n\n',
        b'data: {"error":{"message":"x"}}\n\n',
        b"data: {\n\n",
        b"data: \xff\n\n",
        b'data: {"type":7}\n\n',
        event("completed", response=7),
        b"data: " + b"x" * 2_000_000,
    ],
)
def test_an_error_ends_the_reading(piece: bytes) -> None:
    events, reader = read(event("output_text.delta", delta="A"), piece, event("output_text.delta", delta="B"), end())
    assert reader.error is not None
    assert not reader.done
    assert simplified(events) == [("text", "", "A")]


def test_a_failed_response_tells_its_usage() -> None:
    _, reader = read(end("failed", error={"code": "server_error", "message": "x"}))
    assert reader.usage == USAGE


_KINDS = [
    "output_item.added",
    "output_item.done",
    "output_text.delta",
    "refusal.delta",
    "reasoning_text.delta",
    "reasoning_summary_part.added",
    "function_call_arguments.delta",
    "x",
]
_ANY = st.fixed_dictionaries(
    {"index": st.integers(0, 2)},
    optional={"delta": st.text(max_size=5), "item": st.sampled_from([_MESSAGE, _CALL, _THOUGHT, None, {}])},
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(_KINDS), _ANY), max_size=10), st.data())
def test_any_stream_split_anywhere_reads_alike(pairs: list[tuple[str, Any]], data: st.DataObject) -> None:
    whole = b"".join(event(kind, **members) for kind, members in pairs) + end()
    events, reader = read(whole)
    check_order(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    again, other = read(*pieces)
    assert again == events
    assert (other.usage, other.done, str(other.error)) == (reader.usage, reader.done, str(reader.error))


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_are_read_without_an_exception(pieces: list[bytes]) -> None:
    for wrap in (b"%b", b"data: %b\n\n", b'data: {"type":"response.output_item.done","item":%b}\n\n'):
        read(*(wrap % piece for piece in pieces))


def make_writer(**members: Any) -> EventWriter:
    body = {"model": "aurora-fast", "stream": True, "input": "Hi", **members}
    return EventWriter(decode(json.dumps(body).encode()), REPLY)


def events_of(out: bytes, *, typed: bool = True) -> list[dict[str, Any]]:
    """The events, each checked to bear its name and number and, if `typed`, the SDK's shape."""
    found = []
    for number, block in enumerate(out.split(b"\n\n")[:-1]):
        name, data = block.split(b"\n")
        document = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + document["type"].encode()
        assert document["sequence_number"] == number
        if typed:
            _SDK.validate_python(document)
        found.append(document)
    return found


def written(writer: EventWriter, *events: Event) -> list[dict[str, Any]]:
    return events_of(b"".join(map(writer.write, events)) + writer.finish(USAGE))


_SPOKEN: list[Event] = [PartStarted(kind="text"), PartGrew("A"), PartGrew("B"), PartEnded()]


def test_text_is_written_with_every_event_that_clients_wait_for() -> None:
    events = written(make_writer(metadata={"a": "b"}), *_SPOKEN, Finished(finish="stop"))
    assert [found["type"].removeprefix("response.") for found in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert (events[0]["response"]["status"], events[0]["response"]["output"]) == ("in_progress", [])
    assert [events[4]["delta"], events[6]["text"], events[7]["part"]["text"]] == ["A", "AB", "AB"]
    shown = events[-1]["response"]
    assert (shown["id"], shown["model"], shown["metadata"]) == ("resp_0abc", "aurora-fast", {"a": "b"})
    assert shown["output"] == [events[8]["item"]]
    assert shown["usage"]["total_tokens"] == 13
    assert {events[4]["item_id"], events[8]["item"]["id"]} == {"msg_0abc001"}


def test_thoughts_are_written_as_a_summary_with_a_marked_signature() -> None:
    thinking: list[Event] = [PartStarted(kind="reasoning"), PartGrew("Hm"), PartEnded(signature="sig", maker="maker")]
    silent: list[Event] = [PartStarted(kind="reasoning"), PartEnded(signature="sig", maker="maker", redacted=True)]
    events = written(make_writer(), *thinking, *silent, Finished(finish="stop"))
    assert [found["type"].removeprefix("response.") for found in events[2:-1]] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
    ]
    first, second = events[-1]["response"]["output"]
    assert (first["summary"][0]["text"], unmark(first["encrypted_content"], "maker")) == ("Hm", "sig")
    assert (second["summary"], unmark(second["encrypted_content"], "maker")) == ([], "sig")


def test_calls_are_written_under_the_callers_names() -> None:
    go = {"type": "function", "name": "go", "parameters": {}, "strict": False}
    space = {"type": "namespace", "name": "mcp__a", "description": "A.", "tools": [go]}
    tools = [space, {"type": "custom", "name": "patch"}]
    events = written(
        make_writer(tools=tools),
        PartStarted(kind="tool_call", call_id="c1", name="mcp__a__go"),
        PartGrew("{}"),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="c2", name="patch"),
        PartGrew('{"input":'),
        PartGrew('"AB"}'),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="c3", name="patch", custom=True),
        PartGrew("A"),
        PartGrew("B"),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="c4", name="mcp__a__go"),
        PartEnded(),
        Finished(finish="tool_calls"),
    )
    first, second, third, fourth = events[-1]["response"]["output"]
    assert (first["type"], first["name"], first["namespace"], first["arguments"]) == (
        "function_call",
        "go",
        "mcp__a",
        "{}",
    )
    for item in (second, third):
        assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "patch", "AB")
    assert fourth["arguments"] == "{}"
    deltas = [found["delta"] for found in events if found["type"] == "response.custom_tool_call_input.delta"]
    assert deltas == ["AB", "A", "B"]
    assert [item["call_id"] for item in events[-1]["response"]["output"]] == ["c1", "c2", "c3", "c4"]


def test_a_refusal_is_written_in_its_own_events() -> None:
    events = written(
        make_writer(), PartStarted(kind="refusal"), PartGrew("No"), PartEnded(), Finished(finish="refusal")
    )
    kinds = [found["type"] for found in events]
    assert {"response.refusal.delta", "response.refusal.done"} <= set(kinds)
    assert kinds[-1] == "response.completed"


def test_a_full_answer_is_incomplete() -> None:
    events = written(make_writer(), *_SPOKEN, Finished(finish="length"))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_finished_items_are_kept_as_the_caller_sees_them() -> None:
    writer = make_writer()
    events = written(writer, *_SPOKEN, Finished(finish="stop"))
    assert [json.loads(bytes(item)) for item in writer.output_items] == events[-1]["response"]["output"]
    assert json.loads(writer.response) == events[-1]["response"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ServiceUnavailable("Down."), "server_is_overloaded"), (InsufficientCredit("Top up."), "insufficient_quota")],
)
def test_a_failed_stream_never_looks_successful(error: Any, code: str) -> None:
    writer = make_writer()
    out = b"".join(map(writer.write, [*_SPOKEN, Finished(finish="stop")])) + writer.fail(error)
    events = events_of(out, typed=False)
    assert [found["type"] for found in events[-2:]] == ["error", "response.failed"]
    assert events[-1]["response"]["error"] == {"code": code, "message": error.message}
    assert "response.completed" not in {found["type"] for found in events}


def test_a_ping_is_passed_over() -> None:
    assert read(make_writer().ping())[0] == []


_TEXTS = st.text(min_size=1, max_size=6)


@given(
    st.lists(
        st.tuples(st.sampled_from(["text", "refusal", "reasoning", "tool_call"]), st.lists(_TEXTS, max_size=3)),
        max_size=5,
    )
)
def test_what_is_written_reads_as_it_was(parts: list[tuple[Any, list[str]]]) -> None:
    events: list[Event] = []
    for number, (kind, pieces) in enumerate(parts):
        name = "look" if kind == "tool_call" else ""
        call_id = f"c{number}" if name else ""
        texts = [json.dumps("".join(pieces))] if name else pieces
        events += [PartStarted(kind=kind, call_id=call_id, name=name), *map(PartGrew, texts), PartEnded()]
    writer = make_writer()
    out = b"".join(map(writer.write, events)) + writer.finish(USAGE)
    events_of(out)
    found, reader = read(out)
    assert (reader.error, reader.usage) == (None, USAGE)
    said = [part for part in simplified(events) if part[2]]
    assert simplified(found)[:-1] == said


READ = {
    "message": (test_thoughts_text_and_calls_are_read, test_a_refusal_is_a_reason_to_finish),
    "reasoning": (test_thoughts_text_and_calls_are_read, test_answers.test_items_are_read_as_parts),
    "function_call, custom_tool_call": (test_thoughts_text_and_calls_are_read,),
    "items without pieces": (test_items_without_pieces_are_read_whole,),
    "items interleaved": (test_interleaved_items_come_one_after_the_other,),
    "status, incomplete_details": (
        test_what_is_open_at_the_end_is_ended,
        test_answers.test_reasons_to_finish_are_read,
    ),
    "usage": (test_thoughts_text_and_calls_are_read, test_a_failed_response_tells_its_usage),
    "failed, error": (test_an_error_ends_the_reading,),
}
WRITTEN = {
    "text": (test_text_is_written_with_every_event_that_clients_wait_for,),
    "refusal": (test_a_refusal_is_written_in_its_own_events,),
    "thoughts": (test_thoughts_are_written_as_a_summary_with_a_marked_signature,),
    "calls": (test_calls_are_written_under_the_callers_names,),
    "images": (test_answers.test_parts_are_written_as_items,),
    "why it ended": (test_a_full_answer_is_incomplete, test_answers.test_reasons_to_finish_are_written),
    "usage": (test_text_is_written_with_every_event_that_clients_wait_for,),
    "failure": (test_a_failed_stream_never_looks_successful,),
}


def test_every_row_of_the_tables_has_a_test() -> None:
    assert rows_of("Responses: answers read") == list(READ)
    assert rows_of("Responses: answers written") == list(WRITTEN)
