"""Streams of chat upstreams read as events, and events written as streams for chat callers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import ServiceUnavailable
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Event, Finished, PartEnded, PartGrew, PartStarted
from reseller_kit.wire.openai_chat import EventReader, EventWriter
from reseller_kit.wire.openai_chat.request import decode
from reseller_kit.wire.signatures import unmark
from tests.unit.wire.openai_chat import test_chat_answers as test_answers
from tests.unit.wire.translation_table import rows_of

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
USAGE = Usage(input_tokens=9, output_tokens=4)
_REPORT = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
_DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **members: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: %b\n\n" % json.dumps({"id": "up", "model": "up", "choices": choices, **members}).encode()


def called(index: int | None = 0, arguments: str = "", **members: Any) -> dict[str, Any]:
    """A delta with a piece of one tool call; `name` begins it."""
    function = {"arguments": arguments} | ({"name": members.pop("name")} if "name" in members else {})
    call = {"function": function, **members} | ({} if index is None else {"index": index})
    return {"tool_calls": [call]}


def read(*pieces: bytes) -> tuple[list[Event], EventReader]:
    reader = EventReader(REPLY)
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.end(), reader


def simplified(events: list[Event]) -> list[Any]:
    """Parts with their whole text: `(kind, name, text)`, and the reason to finish."""
    found: list[Any] = []
    for event in events:
        if isinstance(event, PartStarted):
            found.append((event.kind, event.name, ""))
        elif isinstance(event, PartGrew):
            kind, name, text = found[-1]
            found[-1] = (kind, name, text + event.text)
        elif isinstance(event, Finished):
            found.append(event.finish)
    return found


def check_order(events: list[Event]) -> None:
    """At most one part is open at a time, and nothing is open at the end of a finished answer."""
    is_open = False
    for event in events:
        if isinstance(event, PartStarted):
            assert not is_open
            is_open = True
        elif isinstance(event, PartGrew):
            assert is_open
        elif isinstance(event, PartEnded):
            assert is_open
            is_open = False
        else:
            assert not is_open
            assert event is events[-1]


def test_text_thoughts_and_a_call_are_read() -> None:
    events, reader = read(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}),
        chunk({"content": "A"}),
        chunk({"content": "B"}),
        chunk(called(name="look", id="call_1")),
        chunk(called(arguments='{"at":')),
        chunk(called(arguments="1}")),
        chunk({}, "tool_calls"),
        chunk(usage=_REPORT),
        _DONE,
    )
    assert events == [
        PartStarted(kind="reasoning"),
        PartGrew("Hm"),
        PartEnded(),
        PartStarted(kind="text"),
        PartGrew("A"),
        PartGrew("B"),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="call_1", name="look"),
        PartGrew('{"at":'),
        PartGrew("1}"),
        PartEnded(),
        Finished(finish="tool_calls"),
    ]
    assert (reader.usage, reader.done, reader.error) == (USAGE, True, None)


def test_parallel_calls_one_after_the_other_pass_as_they_come() -> None:
    events, _ = read(
        chunk(called(0, "{}", name="a", id="1")),
        chunk(called(1, "", name="b", id="2")),
    )
    assert events == [
        PartStarted(kind="tool_call", call_id="1", name="a"),
        PartGrew("{}"),
        PartEnded(),
        PartStarted(kind="tool_call", call_id="2", name="b"),
    ]


def test_interleaved_calls_come_one_after_the_other() -> None:
    pieces = [
        chunk(called(0, "", name="a", id="1")),
        chunk(called(1, "", name="b", id="2")),
        chunk(called(1, '{"x"')),
        chunk(called(0, '{"y"')),
        chunk(called(1, ":1}")),
        chunk(called(0, ":2}")),
        chunk(called(1, " ")),
        chunk({}, "stop"),
        _DONE,
    ]
    events, reader = read(*pieces)
    check_order(events)
    assert simplified(events) == [("tool_call", "a", '{"y":2}'), ("tool_call", "b", '{"x":1} '), "tool_calls"]
    assert reader.error is None


def test_a_name_that_comes_late_holds_nothing_up() -> None:
    events, _ = read(
        chunk(called(0, "", id="1")),
        chunk(called(1, "{", name="b", id="2")),
        chunk(called(0, "{}", name="a")),
        chunk(called(1, "}")),
        _DONE,
    )
    check_order(events)
    assert simplified(events) == [("tool_call", "b", "{}"), ("tool_call", "a", "{}"), "tool_calls"]


def test_calls_without_numbers_or_ids_are_told_apart() -> None:
    events, _ = read(
        chunk(called(None, "{}", name="a", id="1")),
        chunk(called(None, "{}", name="b", id="2")),
        chunk({"tool_calls": [{"function": {"arguments": ""}}]}),
        _DONE,
    )
    assert simplified(events) == [("tool_call", "a", "{}"), ("tool_call", "b", "{}"), "tool_calls"]
    events, _ = read(chunk(called(0, "{}", name="a")), _DONE)
    assert isinstance(events[0], PartStarted)
    assert events[0].call_id == "call_0abc_0"


def test_a_call_that_goes_on_after_its_end_is_an_error() -> None:
    _, reader = read(
        chunk(called(0, "{}", name="a", id="1")), chunk(called(1, "", name="b", id="2")), chunk(called(0, "x"))
    )
    assert reader.error is not None


def test_a_stream_without_done_ends_by_its_reason() -> None:
    events, reader = read(chunk({"content": "A"}), chunk({}, "length", usage=_REPORT))
    assert simplified(events) == [("text", "", "A"), "length"]
    assert (reader.done, reader.usage) == (True, USAGE)


def test_a_cut_stream_is_not_done() -> None:
    events, reader = read(chunk({"content": "A"}))
    assert simplified(events) == [("text", "", "A")]
    assert (reader.done, reader.error) == (False, None)


def test_a_last_event_without_its_blank_line_is_read() -> None:
    events, reader = read(chunk({"content": "A"}, "stop"), b"data: [DONE]")
    assert (events[-1], reader.done) == (Finished(finish="stop"), True)


@pytest.mark.parametrize(
    "piece",
    [
        b'data: {"error":{"message":"x"}}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"error":{"message":"x"}}]}\n\n',
        b"event: error\ndata: {}\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
        b'data: {"choices":7}\n\n',
        b"data: " + b"x" * 2_000_000,
        b'data: {"choices":' + b"[" * 5000 + b"\n\n",
    ],
)
def test_an_error_ends_the_reading(piece: bytes) -> None:
    events, reader = read(chunk({"content": "A"}), piece, chunk({"content": "B"}), _DONE)
    assert reader.error is not None
    assert not reader.done
    assert simplified(events) == [("text", "", "A")]


def test_content_in_parts_is_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    events, _ = read(chunk({"content": [thinking]}), chunk({"content": [{"type": "text", "text": "A"}]}), _DONE)
    assert simplified(events) == [("reasoning", "", "Hm"), ("text", "", "A"), "stop"]


def test_a_function_call_is_read() -> None:
    pieces = [{"name": "look", "arguments": ""}, {"arguments": "{}"}]
    events, _ = read(*(chunk({"function_call": piece}) for piece in pieces), chunk({}, "function_call"), _DONE)
    assert simplified(events) == [("tool_call", "look", "{}"), "tool_calls"]


def test_usage_is_read_wherever_it_stands() -> None:
    choice = {"index": 0, "delta": {}, "usage": _REPORT}
    for piece in ({"choices": [choice]}, {"choices": [], "x_groq": {"usage": _REPORT}}, {"usage": _REPORT}):
        _, reader = read(b"data: %b\n\n" % json.dumps(piece).encode(), _DONE)
        assert reader.usage == USAGE


def test_a_refusal_is_read() -> None:
    events, _ = read(chunk({"refusal": "No"}), chunk({}, "stop"), _DONE)
    assert simplified(events) == [("refusal", "", "No"), "refusal"]


def test_comments_empty_choices_and_other_choices_mean_nothing() -> None:
    other = b'data: {"choices":[{"index":1,"delta":{"content":"B"}}]}\n\n'
    events, _ = read(b": hi\n\n", chunk(), other, chunk({"content": "A"}), _DONE)
    assert simplified(events) == [("text", "", "A"), "stop"]


_TEXTS = st.text(min_size=1, max_size=6)
_DELTAS = st.one_of(
    st.builds(lambda text: {"content": text}, _TEXTS),
    st.builds(lambda text: {"reasoning_content": text}, _TEXTS),
    st.builds(lambda text: {"refusal": text}, _TEXTS),
    st.builds(
        lambda index, text: called(index, text, name=f"t{index}", id=f"c{index}"),
        st.integers(0, 3),
        st.sampled_from(["", "{", "}", "{}", '"a":1', "x"]),
    ),
)


@settings(max_examples=150)
@given(st.lists(_DELTAS, max_size=12), st.data())
def test_any_stream_split_anywhere_reads_alike(deltas: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = b"".join(map(chunk, deltas)) + chunk({}, "stop", usage=_REPORT) + _DONE
    events, reader = read(whole)
    check_order(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    again, other = read(*pieces)
    assert again == events
    assert (other.usage, other.done, str(other.error)) == (reader.usage, reader.done, str(reader.error))
    if reader.error is None:
        words = "".join(delta["content"] for delta in deltas if "content" in delta)
        assert words == "".join(part[2] for part in simplified(events)[:-1] if part[0] == "text")


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_are_read_without_an_exception(pieces: list[bytes]) -> None:
    read(*pieces)
    read(*(b"data: " + piece + b"\n\n" for piece in pieces))
    read(*(b'data: {"choices":[{"delta":' + piece + b"}]}\n\n" for piece in pieces))


def make_writer(**members: Any) -> EventWriter:
    body = {"model": "aurora-fast", "stream": True, "messages": [{"role": "user", "content": "Hi"}], **members}
    return EventWriter(decode(json.dumps(body).encode()), REPLY)


def written(writer: EventWriter, *events: Event) -> list[dict[str, Any]]:
    """The chunks of a whole stream; the last is `[DONE]`."""
    out = b"".join(map(writer.write, events)) + writer.finish(USAGE)
    *blocks, done, rest = out.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def deltas_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found["choices"][0]["delta"] for found in chunks if found["choices"]]


_SPOKEN: list[Event] = [PartStarted(kind="text"), PartGrew("A"), PartEnded()]


def test_a_stream_is_written_in_the_storefronts_name() -> None:
    chunks = written(make_writer(), *_SPOKEN, Finished(finish="length"))
    assert {(found["id"], found["object"], found["model"]) for found in chunks} == {
        ("chatcmpl-0abc", "chat.completion.chunk", "aurora-fast")
    }
    assert deltas_of(chunks) == [{"role": "assistant", "content": "", "refusal": None}, {"content": "A"}, {}]
    assert [found["choices"][0]["finish_reason"] for found in chunks] == [None, None, "length"]
    assert not any("usage" in found for found in chunks)


def test_usage_is_for_those_who_ask() -> None:
    chunks = written(make_writer(stream_options={"include_usage": True}), *_SPOKEN, Finished(finish="stop"))
    assert [found["usage"] for found in chunks[:-1]] == [None] * 3
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 13)


def test_calls_are_numbered() -> None:
    events: list[Event] = []
    for call_id in ("1", "2"):
        events += [PartStarted(kind="tool_call", call_id=call_id, name="look"), PartGrew("{}"), PartEnded()]
    chunks = written(make_writer(), *events, Finished(finish="stop"))
    calls = [delta["tool_calls"][0] for delta in deltas_of(chunks) if "tool_calls" in delta]
    assert [call["index"] for call in calls] == [0, 0, 1, 1]
    assert calls[2] == {"index": 1, "id": "2", "type": "function", "function": {"name": "look", "arguments": ""}}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_custom_tool_gets_its_text_back() -> None:
    tools = [{"type": "custom", "custom": {"name": "patch"}}]
    for custom, pieces in ((False, ['{"input":', '"AB"}']), (True, ["A", "B"])):
        started = PartStarted(kind="tool_call", call_id="1", name="patch", custom=custom)
        events: list[Event] = [started, *map(PartGrew, pieces), PartEnded(), Finished(finish="tool_calls")]
        calls = [
            d["tool_calls"][0]["custom"]
            for d in deltas_of(written(make_writer(tools=tools), *events))
            if "tool_calls" in d
        ]
        assert "".join(call.get("input", "") for call in calls) == "AB"


def test_a_caller_of_functions_gets_a_function_call() -> None:
    events: list[Event] = [PartStarted(kind="tool_call", call_id="1", name="look"), PartGrew("{}"), PartEnded()]
    chunks = written(make_writer(functions=[{"name": "look"}]), *events, Finished(finish="tool_calls"))
    assert deltas_of(chunks)[1:3] == [
        {"function_call": {"name": "look", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


def test_signatures_are_marked() -> None:
    events: list[Event] = [PartStarted(kind="reasoning"), PartGrew("Hm"), PartEnded(signature="a", maker="maker")]
    events += [PartStarted(kind="tool_call", call_id="1", name="look"), PartEnded(signature="b", maker="maker")]
    deltas = deltas_of(written(make_writer(), *events, Finished(finish="tool_calls")))
    (first,), (second,) = (delta["reasoning_details"] for delta in deltas if "reasoning_details" in delta)
    assert (first["text"], unmark(first["signature"], "maker")) == ("Hm", "a")
    assert (second["id"], unmark(second["data"], "maker")) == ("1", "b")


def test_a_failed_stream_never_looks_successful() -> None:
    writer = make_writer()
    out = b"".join(map(writer.write, [*_SPOKEN, Finished(finish="stop")])) + writer.fail(ServiceUnavailable("Down."))
    assert b"[DONE]" not in out
    assert b'"finish_reason":"' not in out
    assert json.loads(out.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]["message"] == "Down."


def test_a_ping_is_passed_over() -> None:
    assert read(make_writer().ping())[0] == []


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
    found, reader = read(out)
    assert reader.error is None

    def merged(events: list[Event]) -> list[Any]:
        """Neighbours of a kind are one part in this dialect, and empty ones are none."""
        result: list[Any] = []
        for part in simplified(events):
            if part[0] != "tool_call" and result and result[-1][0] == part[0]:
                result[-1] = (part[0], "", result[-1][2] + part[2])
            elif part[0] == "tool_call" or part[2]:
                result.append(part)
        return result

    assert merged(found[:-1]) == merged(events)


READ = {
    "content, reasoning_content, reasoning, refusal": (test_text_thoughts_and_a_call_are_read, test_a_refusal_is_read),
    "content in parts": (test_content_in_parts_is_read,),
    "tool_calls": (test_text_thoughts_and_a_call_are_read, test_calls_without_numbers_or_ids_are_told_apart),
    "tool_calls: interleaved": (test_interleaved_calls_come_one_after_the_other,),
    "function_call": (test_a_function_call_is_read,),
    "finish_reason": (test_a_refusal_is_read, test_a_stream_without_done_ends_by_its_reason),
    "usage": (test_text_thoughts_and_a_call_are_read, test_usage_is_read_wherever_it_stands),
    "no [DONE]": (test_a_stream_without_done_ends_by_its_reason,),
    "error": (test_an_error_ends_the_reading,),
}
WRITTEN = {
    "text, refusal": (test_what_is_written_reads_as_it_was, test_a_stream_is_written_in_the_storefronts_name),
    "thoughts": (test_what_is_written_reads_as_it_was,),
    "signatures": (test_signatures_are_marked,),
    "calls": (test_calls_are_numbered, test_a_caller_of_functions_gets_a_function_call),
    "calls of custom tools": (test_a_custom_tool_gets_its_text_back,),
    "images": (test_answers.test_images_are_shown,),
    "why it ended": (test_answers.test_reasons_to_finish_are_written,),
    "usage": (test_usage_is_for_those_who_ask,),
    "failure": (test_a_failed_stream_never_looks_successful,),
}


def test_every_row_of_the_tables_has_a_test() -> None:
    assert rows_of("Chat completions: answers read") == list(READ)
    assert rows_of("Chat completions: answers written") == list(WRITTEN)


def test_an_end_without_a_word_or_a_reason_is_no_answer() -> None:
    role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    end = b"data: [DONE]\n\n"
    for stream in (end, role + end):
        events, reader = read(stream)
        assert reader.error is not None
        assert (events, reader.error.reason) == ([], "the stream ended before content")
    _, silent = read(role, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n', end)
    assert silent.error is None
