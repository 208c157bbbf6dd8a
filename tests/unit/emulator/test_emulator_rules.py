"""The emulator's own rules: directives, counts and the bytes of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts._emulator import answers
from scripts._emulator.chat_request import count, decode, directives_of
from scripts._emulator.directives import BadRequest, Counts, Directives, parse
from scripts._emulator.load import (
    EVENTS,
    PLAIN_BYTES,
    STREAM_BYTES,
    chat_answers,
    load_answers,
    plain_body,
    stream_events,
)


def make_body(text: str = "Hi there", **fields: Any) -> bytes:
    return json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], **fields}).encode()


def counts_of(text: str, **fields: Any) -> Counts:
    request = decode(make_body(text, **fields))
    return count(request, directives_of(request, Directives()))


def contents(text: str, **fields: Any) -> tuple[str, str]:
    """The text of the plain and of the streamed answer to the same request."""
    request = decode(make_body(text, stream=True, stream_options={"include_usage": True}, **fields))
    directives = directives_of(request, Directives())
    counts = count(request, directives)
    plain = json.loads(answers.completion(request, directives, counts))
    events = [event for event, _ in answers.events(request, directives, counts)]
    assert events[-1] == answers.DONE
    parsed = [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"] == plain["usage"]
    assert all(event["usage"] is None for event in parsed[:-1])
    deltas = [choice["delta"] for event in parsed for choice in event["choices"]]
    return plain["choices"][0]["message"]["content"], "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ("Hi there", {}, Counts(9, 0, 16, 0, limited=False)),
        ("Hi [[output=20 cached=5 reasoning=3]]", {}, Counts(11, 5, 20, 3, limited=False)),
        ("Hi [[cached=500]]", {}, Counts(9, 9, 16, 0, limited=False)),
        ("[[input=100 output=50]]", {"max_tokens": 10}, Counts(100, 32, 10, 0, limited=True)),
        ("[[reasoning=12]]", {"max_completion_tokens": 8, "max_tokens": 99}, Counts(8, 0, 8, 8, limited=True)),
        ('[[text="a b c" reasoning=2]]', {}, Counts(11, 0, 5, 2, limited=False)),
        ("[[nothing]]", {}, Counts(8, 0, 0, 0, limited=False)),
    ],
)
def test_counts(text: str, fields: dict[str, Any], expected: Counts) -> None:
    assert counts_of(text, **fields) == expected


@pytest.mark.parametrize(
    "text", ["Hi", '[[text=" two  words\n"]]', "[[output=3 reasoning=1]]", "[[nothing]]", "[[output=40]]"]
)
def test_plain_and_streamed_text_agree(text: str) -> None:
    plain, streamed = contents(text)
    assert plain == streamed
    assert len(plain.split()) == counts_of(text).visible


def test_usage_is_left_out_or_claimed() -> None:
    request = decode(make_body("[[no_usage]]", stream=True, stream_options={"include_usage": True}))
    directives = directives_of(request, Directives())
    assert all(
        b'"usage":{' not in event for event, _ in answers.events(request, directives, count(request, directives))
    )
    claimed = answers.usage_object(counts_of("Hi"), 1, parse("claim_input=-7 claim_output=9", Directives()))
    assert (claimed["prompt_tokens"], claimed["completion_tokens"]) == (-7, 9)


def test_choices_multiply_output() -> None:
    request = decode(make_body("[[output=4]]", n=3))
    counts = count(request, directives_of(request, Directives()))
    body = json.loads(answers.completion(request, Directives(), counts))
    assert (len(body["choices"]), body["usage"]["completion_tokens"]) == (3, 12)


def test_tool_calls_join_to_json() -> None:
    request = decode(make_body("[[tool=2]]", stream=True))
    directives = directives_of(request, Directives())
    arguments = {0: "", 1: ""}
    for event, _ in answers.events(request, directives, count(request, directives))[:-1]:
        for choice in json.loads(event.removeprefix(b"data: "))["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                arguments[call["index"]] += call["function"]["arguments"]
    assert [json.loads(text)["day"] for text in arguments.values()] == [0, 1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (make_body(model=5), "model"),
        (make_body(messages=[]), "messages"),
        (make_body(stream_options={"include_usage": True}), "stream_options"),
        (make_body(max_tokens=0), "max_completion_tokens"),
        (make_body(n=0), "n"),
    ],
)
def test_requests_the_real_service_refuses(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        decode(body)
    assert caught.value.param == param


@pytest.mark.parametrize("text", ["[[foo]]", "[[output=x]]", "[[delay=]]", "[[output=1.5]]"])
def test_unknown_directives_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        directives_of(decode(make_body(text)), Directives())


@given(st.text(max_size=60))
def test_directive_text_never_breaks_the_parser(text: str) -> None:
    try:
        parsed = parse(text, Directives())
    except BadRequest:
        return
    assert isinstance(parsed, Directives)


def test_a_standing_directive_holds_until_it_is_overridden() -> None:
    always = parse("status=503 delay=0.5", Directives())
    assert directives_of(decode(make_body("plain")), always) == always
    assert directives_of(decode(make_body("[[delay=1]]")), always) == parse("status=503 delay=1", Directives())


def test_dated_names() -> None:
    assert answers.dated("gpt-5-mini") == "gpt-5-mini-2025-08-07"
    assert answers.dated("gpt-4.1-2025-04-14") == "gpt-4.1-2025-04-14"


def test_load_answers_have_the_sizes_they_promise() -> None:
    assert len(plain_body()) == PLAIN_BYTES
    assert json.loads(plain_body())["usage"]["completion_tokens"] == 16
    events = stream_events()
    assert len(events) == EVENTS
    assert abs(sum(map(len, events)) - STREAM_BYTES) < EVENTS
    assert len(b"".join(chat_answers(44).bursts)) == len(b"".join(chat_answers(1).bursts))
    assert (len(chat_answers(44).bursts), len(chat_answers(1).bursts)) == (1, 44)


@pytest.mark.parametrize(
    ("path", "plain", "last"),
    [
        (b"/v1/messages", b'"type":"message"', b"event: message_stop"),
        (b"/v1/responses", b'"object":"response"', b"event: response.completed"),
    ],
)
def test_load_answers_of_other_apis_stream_as_many_events(path: bytes, plain: bytes, last: bytes) -> None:
    made, whole = load_answers(1)[path], load_answers(44)[path]
    assert (len(made.bursts), len(whole.bursts)) == (EVENTS, 1)
    assert made.plain.startswith(b"HTTP/1.1 200")
    assert plain in made.plain
    assert last in made.bursts[-1]
    assert whole.bursts[0].endswith(b"\n\n\r\n0\r\n\r\n")
