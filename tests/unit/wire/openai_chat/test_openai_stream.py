"""The stream tap: what passes, what is held back, what is metered; quick and slow way and any split agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import ServiceUnavailable, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.openai_chat.stream import StreamTap

_DONE = b"data: [DONE]\n\n"
_REPORT = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
_USAGE = Usage(input_tokens=9, output_tokens=4)


def make_chunk(delta: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": None}
    return {
        "id": "chatcmpl-upstream",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "upstream-model",
        "system_fingerprint": "fp_upstream",
        "choices": [choice],
        **members,
    }


def make_event(chunk: Any, *, compact: bool = True) -> bytes:
    separators = (",", ":") if compact else (", ", ": ")
    return b"data: " + json.dumps(chunk, separators=separators, ensure_ascii=False).encode() + b"\n\n"


def make_finish(reason: str = "stop", **members: Any) -> bytes:
    chunk = make_chunk(**members)
    chunk["choices"][0]["finish_reason"] = reason
    return make_event(chunk)


def make_tap(*, include_usage: bool = False, **arguments: Any) -> StreamTap:
    return StreamTap(model="aurora-fast", response_id="req_1", include_usage=include_usage, **arguments)


class SlowTap(StreamTap):
    """Decodes every event."""

    def _learn(self, block: bytes, sent: bytes, text: bytes, pad: bytes) -> None:
        """Learns nothing."""


def events_of(sent: bytes) -> list[Any]:
    parts = sent.split(b"\n\n")
    assert parts.pop() == b""
    assert all(part.startswith(b"data: ") for part in parts)
    return [part[6:].decode() if part == _DONE.strip() else json.loads(part[6:]) for part in parts]


def state_of(tap: StreamTap) -> tuple[Any, ...]:
    error = None if tap.error is None else tap.error.reason
    return tap.usage, tap.started, tap.done, tap.finish_reasons, error, tap.estimate_text(), tap.delivered_chars


def run(tap: StreamTap, pieces: list[bytes]) -> bytes:
    return b"".join([tap.feed(piece) for piece in pieces]) + tap.end()


_WORDS = [make_event(make_chunk({"content": word})) for word in ("Hel", "lo\n", ' "you"', " 漢", " there")]
_STREAM = [
    make_event(make_chunk({"role": "assistant", "content": ""})),
    *_WORDS,
    make_finish(),
    make_event({**make_chunk(), "choices": [], "usage": _REPORT}),
    _DONE,
]


def test_a_stream_passes_under_the_storefronts_names_with_its_end_held_back() -> None:
    tap = make_tap()
    sent = run(tap, _STREAM)
    chunks = events_of(sent)
    assert len(chunks) == 7
    for chunk in chunks:
        assert list(chunk) == ["id", "object", "created", "model", "choices"]
        assert (chunk["id"], chunk["model"], chunk["created"]) == ("req_1", "aurora-fast", 1700000000)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == 'Hello\n "you" 漢 there'
    assert (tap.usage, tap.done, tap.finish_reasons, tap.error) == (_USAGE, True, {"stop"}, None)
    assert tap.estimate_text() == 'Hello\n "you" 漢 there'
    assert tap.finish(_USAGE) == _DONE


def test_a_caller_that_asks_for_usage_gets_the_charged_one_before_the_end() -> None:
    tap = make_tap(include_usage=True)
    assert all(chunk["usage"] is None for chunk in events_of(run(tap, _STREAM)))
    last, done = events_of(tap.finish(Usage(input_tokens=1, cached_input_tokens=2, output_tokens=3)))
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 3
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert last["usage"]["total_tokens"] == 6


def test_the_start_is_told_from_content() -> None:
    tap = make_tap()
    assert tap.feed(_STREAM[0])
    assert not tap.started
    tap.feed(_STREAM[1])
    assert tap.started


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        ({"content": "a"}, "a"),
        ({"reasoning_content": "b"}, "b"),
        ({"reasoning": "c", "reasoning_details": [{"type": "reasoning.text", "text": "c"}]}, "c"),
        ({"reasoning": "c", "reasoning_content": "c"}, "c"),
        ({"refusal": "d"}, "d"),
        (
            {
                "tool_calls": [
                    {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
                ]
            },
            "f",
        ),
        ({"tool_calls": [{"index": 0, "function": {"arguments": '{"x'}}]}, '{"x'),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "f{}"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "hm"),
        ({"audio": {"id": "audio_1", "data": "AAAA", "transcript": "hi"}}, "hi"),
        ({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}, ""),
    ],
)
def test_every_kind_of_output_starts_the_answer_and_is_kept_for_an_estimate(delta: dict[str, Any], text: str) -> None:
    tap = make_tap()
    tap.feed(make_event(make_chunk(delta)))
    assert tap.started
    assert tap.estimate_text() == text
    assert tap.delivered_chars == len(text)


@pytest.mark.parametrize("delta", [{}, {"role": "assistant"}, {"content": ""}, {"content": None, "tool_calls": []}])
def test_nothing_written_is_no_start(delta: dict[str, Any]) -> None:
    tap = make_tap()
    tap.feed(make_event(make_chunk(delta)))
    assert not tap.started


@pytest.mark.parametrize(
    "events",
    [
        [make_finish(usage=_REPORT)],
        [
            make_event(make_chunk({"content": "a"}, usage={**_REPORT, "completion_tokens": 1})),
            make_finish(usage=_REPORT),
        ],
        [make_finish(usage=_REPORT), make_event({**make_chunk(), "choices": [], "usage": _REPORT})],
        [make_finish(), make_event({**make_chunk(), "choices": None, "usage": _REPORT})],
        [make_finish(), make_event({"usage": _REPORT})],
        [make_finish(x_groq={"id": "req_up", "usage": _REPORT})],
        [
            make_event(
                {**make_chunk(), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": _REPORT}]}
            )
        ],
        [
            make_finish(usage=_REPORT),
            make_finish(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        ],
    ],
    ids=["last-content", "cumulative", "both", "null-choices", "bare", "groq", "moonshot", "zeros-after"],
)
def test_usage_is_found_wherever_an_upstream_puts_it_and_never_shown_unasked(events: list[bytes]) -> None:
    tap = make_tap()
    sent = run(tap, [*events, _DONE])
    assert tap.usage == _USAGE
    assert b"usage" not in sent
    assert b"upstream" not in sent


@pytest.mark.parametrize("before", [b"", make_event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})])
def test_an_end_without_a_word_or_a_reason_is_no_answer(before: bytes) -> None:
    tap = make_tap()
    tap.feed(before + _DONE)
    assert (isinstance(tap.error, UpstreamFailed), tap.done, tap.whole) == (True, False, False)
    silent = make_tap()
    silent.feed(before + make_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + _DONE)
    assert (silent.error, silent.whole) == (None, True)


@pytest.mark.parametrize(
    "event",
    [
        make_event({"error": {"message": "Provider openai.com overloaded", "code": 502}}),
        make_event(make_chunk({"content": ""}, error={"message": "x"})),
        make_event({"choices": [{"index": 0, "delta": {"content": ""}, "error": {"message": "x"}}]}),
        b"event: error\ndata: {}\n\n",
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b'data: {"choices":[7]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: " + b"x" * (1 << 20) + b"\n\n",
        b"x" * (1 << 21),
    ],
)
def test_an_error_or_a_malformed_event_ends_the_stream_without_passing(event: bytes) -> None:
    tap = make_tap()
    before = tap.feed(_WORDS[0])
    assert tap.feed(event + _WORDS[1] + _DONE) == b""
    assert isinstance(tap.error, UpstreamFailed)
    assert not tap.done
    assert tap.feed(_WORDS[2]) == b""
    assert len(events_of(before)) == 1
    ending = tap.fail(ServiceUnavailable("The model stopped answering."))
    assert events_of(ending) == [
        {
            "error": {
                "message": "The model stopped answering.",
                "type": "api_error",
                "param": None,
                "code": "service_unavailable",
            }
        }
    ]


def test_a_stream_that_is_cut_is_neither_done_nor_finished() -> None:
    tap = make_tap()
    cut = b"".join(_STREAM)[:-400]
    run(tap, [cut])
    assert tap.started
    assert not tap.done
    assert tap.error is None
    assert 'Hello\n "you"'.startswith(tap.estimate_text()[:5])


def test_an_end_without_its_blank_line_still_counts() -> None:
    tap = make_tap()
    run(tap, [b"".join(_STREAM).removesuffix(b"\n\n")])
    assert tap.done
    assert tap.usage == _USAGE


def test_comments_and_events_without_choices_do_not_pass() -> None:
    tap = make_tap()
    noise = b": PROVIDER PROCESSING\n\nretry: 10\n\nid: 7\n\ndata:\n\n" + make_event({**make_chunk(), "choices": []})
    assert run(tap, [noise]) == b""
    assert tap.error is None


def test_padding_against_traffic_analysis_passes_and_stays_quick() -> None:
    tap = make_tap()
    events = [make_event(make_chunk({"content": f"w{n}"}, obfuscation="x" * (n % 5 + 1))) for n in range(20)]
    chunks = events_of(run(tap, events))
    assert [chunk["obfuscation"] for chunk in chunks] == ["x" * (n % 5 + 1) for n in range(20)]
    assert tap.estimate_text() == "".join(f"w{n}" for n in range(20))


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("member", ["content", "reasoning_content", "obfuscation", "arguments"])
def test_events_of_the_common_form_are_not_decoded(joined: bool, member: str) -> None:  # noqa: FBT001
    read: list[bytes] = []

    class CountingTap(StreamTap):
        def _read_event(self, block: bytes) -> bytes:
            read.append(block)
            return super()._read_event(block)

    def event_of(word: str) -> bytes:
        if member == "obfuscation":
            return make_event(make_chunk({"content": word}, obfuscation=word[:2]))
        if member == "arguments":
            return make_event(make_chunk({"tool_calls": [{"index": 0, "function": {"arguments": word}}]}))
        return make_event(make_chunk({member: word}))

    events = [event_of(f'"word {number}"\n') for number in range(40)]
    tap = CountingTap(model="aurora-fast", response_id="req_1", include_usage=False)
    assert len(events_of(run(tap, [b"".join(events)] if joined else events))) == 40
    assert len(read) == 1
    assert tap.delivered_chars == sum(len(f'"word {number}"\n') for number in range(40))


def test_text_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reseller_kit.wire.text_log.MAX_KEPT_CHARACTERS", 5000)
    tap = make_tap()
    for _ in range(3000):
        tap.feed(_WORDS[0])
    assert tap.estimate_text() == ("Hel" * 3000)[:5000]
    assert tap.delivered_chars == 9000


_text = st.text(st.sampled_from('ab "\\\n{}[],:漢\u200d\x00é'), max_size=5) | st.sampled_from(
    ["assistant", "a", "stop"]
)
_delta: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"content": _text}, optional={"role": st.just("assistant")}),
    st.fixed_dictionaries({"reasoning_content": _text}, optional={"reasoning": _text, "content": _text | st.none()}),
    st.builds(lambda text: {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, _text),
    st.builds(lambda text: {"tool_calls": [{"id": "c", "function": {"name": text, "arguments": "{}"}}]}, _text),
    st.just({}),
)
_choice = st.fixed_dictionaries(
    {"index": st.sampled_from([0, 0, 0, 1]), "delta": _delta},
    optional={"finish_reason": st.sampled_from([None, None, "stop"]), "logprobs": st.none(), "usage": st.just(_REPORT)},
)
_chunk = st.fixed_dictionaries(
    {"id": st.just("up"), "created": st.sampled_from([17, 17, 17, 18]), "choices": st.lists(_choice, max_size=2)},
    optional={
        "service_tier": st.sampled_from(["default", None]),
        "usage": st.sampled_from([None, None, _REPORT, {"prompt_tokens": -1}]),
        "obfuscation": _text,
        "system_fingerprint": _text,
    },
)
_good_event = st.builds(lambda chunk, compact: make_event(chunk, compact=compact), _chunk, st.booleans())
_run_of_words = st.builds(
    lambda words, pad: b"".join(
        make_event(make_chunk({"content": word}, **({"obfuscation": word[:2]} if pad else {}))) for word in words
    ),
    st.lists(_text, min_size=2, max_size=8),
    st.booleans(),
)
_odd = st.sampled_from(
    [
        b": ping\n\n",
        b"\n",
        b"\n\n",
        b"event: x\n",
        b'data: {"choices":\ndata: []}\n\n',
        b"data: {\n\n",
        _DONE,
        b"\xef\xbb\xbf",
    ]
)
_stream = st.lists(st.one_of(_good_event, _run_of_words, _run_of_words, _odd), max_size=8).map(b"".join)
_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@settings(max_examples=150)
@given(_stream, st.booleans())
def test_the_quick_way_gives_what_decoding_every_event_gives(stream: bytes, include_usage: bool) -> None:  # noqa: FBT001
    slow = SlowTap(model="aurora-fast", response_id="req_1", include_usage=include_usage)
    expected = run(slow, [stream])
    one_by_one = [part + b"\n\n" for part in stream.split(b"\n\n")]
    one_by_one[-1] = one_by_one[-1].removesuffix(b"\n\n")
    for pieces in ([stream], one_by_one):
        quick = make_tap(include_usage=include_usage)
        assert run(quick, pieces) == expected
        assert state_of(quick) == state_of(slow)


@settings(max_examples=150)
@given(_stream, _ends, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_and_any_line_end_give_the_same(stream: bytes, line_end: bytes, cuts: list[int]) -> None:
    whole, parts = make_tap(include_usage=True, max_event_bytes=400), make_tap(include_usage=True, max_event_bytes=400)
    assert run(whole, [stream]) == run(parts, _split(stream.replace(b"\n", line_end), cuts))
    assert state_of(whole) == state_of(parts)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=60) | _good_event | _odd, max_size=6), st.lists(st.integers(0, 500), max_size=6))
def test_no_bytes_whatever_raise_or_leak(parts: list[bytes], cuts: list[int]) -> None:
    tap = make_tap(include_usage=True)
    sent = run(tap, _split(b"".join(parts), cuts)) + tap.finish(tap.usage or Usage())
    for event in events_of(sent):
        assert event == "[DONE]" or event["id"] == "req_1"
