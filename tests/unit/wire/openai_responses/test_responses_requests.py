"""Requests for Responses: what is metered, what is refused, and that what was metered is what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.wire.codec import Call, Sending
from reseller_kit.wire.media import IMAGE_TOKENS, REMOTE_TOKENS
from reseller_kit.wire.openai_responses import (
    CODEC,
    count_body,
    decode,
    decode_count,
    encode_count,
    left_out_of,
    read_count,
)
from reseller_kit.wire.openai_responses.fields import METERED, REFUSED
from reseller_kit.wire.openai_responses.state import (
    input_items,
    item_references,
    names_earlier_items,
    previous_of,
    wants_store,
    with_history,
)
from reseller_kit.wire.signatures import MARK, mark

_SEARCH = {"type": "web_search"}
_LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
_PNG = "data:image/png;base64," + "A" * 5000


def make_body(**members: Any) -> bytes:
    document = {"model": "gpt-5-mini", "input": "Hello", **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def call_of(**members: Any) -> Call:
    return decode(make_body(**members))


def sent(call: Call, model: str = "gpt-5", limit: int | None = None, maker: str = "openai") -> dict[str, Any]:
    sending = Sending(model=model, provider="openai", maker=maker, output_limit=limit, room=100)
    found: dict[str, Any] = json.loads(CODEC.encode(call, sending))
    return found


def refused(**members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        call_of(**members)
    return caught.value


def test_a_small_request_is_read() -> None:
    call = call_of()
    assert (call.api, call.model, call.stream, call.n, call.output_limit) == (
        "responses",
        "gpt-5-mini",
        False,
        1,
        None,
    )
    assert (call.input_bound, call.media_tokens, call.needs) == (len(make_body()), 0, ())
    call = call_of(stream=True, max_output_tokens=20, instructions=None, tools=None, store=None, include=None)
    assert (call.stream, call.output_limit) == (True, 20)


def test_what_is_sent_is_the_callers_body_in_the_upstreams_name() -> None:
    body = sent(call_of(frobnicate={"a": 1}, store=True, metadata={"a": "b"}, tools=[_LOOK]))
    assert body == {
        "model": "gpt-5",
        "input": "Hello",
        "frobnicate": {"a": 1},
        "store": False,
        "metadata": {"a": "b"},
        "tools": [_LOOK],
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize(
    ("named", "most", "found"), [(None, None, None), (None, 50, 50), (20, 50, 20), (80, 50, 50), (80, None, 80)]
)
def test_the_limit_is_lowered_or_added(named: int | None, most: int | None, found: int | None) -> None:
    body = sent(call_of(max_output_tokens=named), limit=most)
    assert body.get("max_output_tokens") == found


def test_thoughts_are_asked_for_where_the_model_gives_them() -> None:
    wanted = ["reasoning.encrypted_content"]
    assert "include" not in sent(call_of(), model="gpt-4o")
    assert sent(call_of(include=["x"]), model="openai/o3")["include"] == ["x", *wanted]
    assert sent(call_of(include=wanted), model="gpt-4o")["include"] == wanted


@pytest.mark.parametrize("name", sorted(set(REFUSED)))
def test_members_that_steer_elsewhere_are_refused(name: str) -> None:
    assert refused(**{name: "x"}).param == name
    assert refused(**{name.upper(): ["x"]}).param == name.upper()


@pytest.mark.parametrize("name", sorted(METERED))
def test_other_spellings_of_metered_members_are_refused(name: str) -> None:
    for other in (name.title(), name.upper(), f"{name}_", f"-{name}"):
        assert refused(**{other: 1}).param == other


@pytest.mark.parametrize("name", ["background", "conversation", "prompt"])
def test_members_that_say_nothing_are_not_sent(name: str) -> None:
    values: list[Any] = [None, False, {}]
    for value in values:
        body = sent(call_of(**{name: value}))
        assert body.get(name) in (None, value)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": ...}, "model"),
        ({"model": ""}, "model"),
        ({"input": ...}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"stream": "yes"}, "stream"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"prompt_cache_options": {"comparison_response_id": "resp_1"}}, "prompt_cache_options.comparison_response_id"),
        ({"tools": [{"type": 7}]}, "tools[0].type"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]}, "input"),
        ({"input": [{"type": "additional_tools", "tools": [_SEARCH]}]}, "input[0].tools"),
    ],
)
def test_what_is_malformed_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    assert refused(**members).param == param


def test_tools_that_run_elsewhere_are_left_out_where_they_are_merely_offered() -> None:
    hosted = [{"type": name} for name in ("web_search", "code_interpreter", "image_generation", "mcp", "shell")]
    odd = {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}
    call = call_of(tools=[_LOOK, *hosted, odd], tool_choice="auto")
    assert sent(call)["tools"] == [_LOOK]
    assert left_out_of(call)[0] == "tools[1] (web_search)"
    assert len(left_out_of(call)) == 6
    only = sent(call_of(tools=[_SEARCH], tool_choice="auto"))
    assert not {"tools", "tool_choice"} & only.keys()


def test_a_tool_that_runs_elsewhere_is_refused_where_it_is_needed() -> None:
    assert refused(tools=[_SEARCH], tool_choice="required").param == "tools[0].type"
    assert refused(tools=[_SEARCH, _LOOK], tool_choice={"type": "web_search"}).param == "tool_choice.type"
    assert refused(tool_choice={"type": "image_generation"}).param == "tool_choice.type"


def test_tools_that_the_caller_runs_travel() -> None:
    own = [
        _LOOK,
        {"type": "custom", "name": "apply_patch"},
        {"type": "namespace", "name": "n", "tools": [_LOOK]},
        {"type": "local_shell"},
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "tool_search", "execution": "client"},
    ]
    call = call_of(tools=own)
    assert (sent(call)["tools"], left_out_of(call)) == (own, ())


def test_media_count_with_their_bounds() -> None:
    image = {"type": "input_image", "image_url": _PNG}
    call = call_of(input=[{"role": "user", "content": [image]}])
    assert call.media_tokens == IMAGE_TOKENS
    assert call.input_bound < IMAGE_TOKENS + 1000
    shot = {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": _PNG}}
    assert call_of(input=[shot]).media_tokens == IMAGE_TOKENS
    output = {"type": "function_call_output", "call_id": "c", "output": [image]}
    assert call_of(input=[output]).media_tokens == IMAGE_TOKENS
    remote = {"type": "input_file", "file_url": "https://a.example/b.pdf"}
    assert call_of(input=[{"role": "user", "content": [remote]}]).media_tokens == REMOTE_TOKENS
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 1600, "format": "mp3"}}
    assert call_of(input=[{"role": "user", "content": [sound]}]).needs == ("input_audio",)


@pytest.mark.parametrize("kind", [["input_file"], {"type": "input_file"}, 7, None])
def test_a_part_whose_type_is_no_text_is_no_medium(kind: Any) -> None:
    part = {"type": kind, "file_id": "file-1", "detail": "input_image"}
    assert call_of(input=[{"role": "user", "content": [part]}]).media_tokens == 0


def test_an_escaped_type_hides_no_medium() -> None:
    body = make_body(input=[{"role": "user", "content": [{"type": "input_image", "image_url": "https://a.example"}]}])
    assert decode(body.replace(b"input_image", b"input\\u005fimage")).media_tokens == IMAGE_TOKENS


def test_signed_thoughts_go_to_their_maker_alone() -> None:
    def thought(signature: str) -> dict[str, Any]:
        return {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": signature}

    given = [thought(mark("a", "openai")), thought(mark("b", "other")), thought("c"), {"role": "user", "content": "x"}]
    assert sent(call_of(input=given))["input"] == [
        {"type": "reasoning", "summary": [], "encrypted_content": "a"},
        {"type": "reasoning", "summary": [], "encrypted_content": "c"},
        {"role": "user", "content": "x"},
    ]


def test_input_without_signatures_is_not_touched() -> None:
    items = b'[{"role": "user",  "content": "x"}]'
    call = decode(b'{"model":"m","input":' + items + b"}")
    sending = Sending(model="up", provider="", maker="", output_limit=None, room=1)
    assert items in CODEC.encode(call, sending)


def test_earlier_items_have_to_be_put_in_first() -> None:
    for members in ({"previous_response_id": "resp_1"}, {"input": [{"type": "item_reference", "id": "msg_1"}]}):
        call = call_of(**members)
        assert names_earlier_items(call)
        with pytest.raises(InvalidRequest):
            sent(call)
        with pytest.raises(InvalidRequest):
            CODEC.to_conversation(call)


def test_history_comes_before_the_input() -> None:
    call = call_of(previous_response_id="resp_1")
    assert (previous_of(call), item_references(call)) == ("resp_1", ())
    history = [Raw(b'{"role":"user","content":"Earlier"}'), Raw(b'{"role":"assistant","content":"Yes"}')]
    whole = with_history(call, history)
    assert not names_earlier_items(whole)
    assert sent(whole)["input"] == [
        {"role": "user", "content": "Earlier"},
        {"role": "assistant", "content": "Yes"},
        {"type": "message", "role": "user", "content": "Hello"},
    ]
    assert whole.input_bound > call.input_bound


def test_named_items_are_put_in_their_places() -> None:
    references = [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, {"role": "user", "content": "x"}]
    call = call_of(input=references)
    assert item_references(call) == ("msg_1", "msg_2")
    kept = {"msg_1": Raw(b'{"a":1}'), "msg_2": Raw(b'{"b":2}')}
    assert list(map(bytes, input_items(with_history(call, (), kept))))[:2] == [b'{"a":1}', b'{"b":2}']
    with pytest.raises(InvalidRequest, match="msg_2"):
        with_history(call, (), {"msg_1": Raw(b"{}")})


def test_history_brings_its_media_along() -> None:
    image = {"role": "user", "content": [{"type": "input_image", "image_url": _PNG}]}
    whole = with_history(call_of(previous_response_id="resp_1"), [Raw(json.dumps(image).encode())])
    assert whole.media_tokens == IMAGE_TOKENS
    assert whole.input_bound < IMAGE_TOKENS + 1000


def test_a_count_needs_no_input_and_sends_what_is_counted() -> None:
    sending = Sending(model="gpt-5", provider="openai", maker="openai", output_limit=9, room=9)
    call = decode_count(make_body(input=..., tools=[_LOOK, _SEARCH], stream=True, store=True, frobnicate=1))
    assert json.loads(encode_count(call, sending)) == {"model": "gpt-5", "input": "", "tools": [_LOOK]}
    assert read_count(count_body(7)) == 7
    for body in (b"", b"[]", b"{}", b'{"input_tokens":-1}', b'{"input_tokens":true}'):
        with pytest.raises(UpstreamFailed):
            read_count(body)


def test_responses_are_stored_unless_the_caller_says_no() -> None:
    assert wants_store(call_of())
    assert wants_store(call_of(store=True))
    assert not wants_store(call_of(store=False))


def test_input_is_estimated_from_its_texts() -> None:
    items = [{"role": "user", "content": [{"type": "input_text", "text": "abc"}]}]
    call = call_of(input=items, instructions="de", tools=[_LOOK])
    found = CODEC.counted(call)
    assert found.texts[:2] == ["abc", "de"]
    assert "look" in found.texts[2]
    assert (found.messages, found.tools, found.media) == (2, 1, [])


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_TYPES = ["message", "function_call", "custom_tool_call", "function_call_output", "reasoning", "item_reference", "x"]
_CONTENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_image", "input_file", "refusal", "input_audio"])},
    optional={
        "text": st.text(max_size=5),
        "image_url": st.just("data:image/png;base64,AA") | _VALUES,
        "file_data": st.text(max_size=5),
        "input_audio": st.just({"data": "AA", "format": "wav"}) | _VALUES,
    },
)
_ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(_TYPES)},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "developer", "x"]),
        "content": st.text(max_size=5) | st.lists(_CONTENT, max_size=3) | _VALUES,
        "call_id": st.just("c") | _VALUES,
        "name": st.just("look") | _VALUES,
        "arguments": st.just("{}") | _VALUES,
        "input": st.text(max_size=5) | _VALUES,
        "output": st.text(max_size=5) | st.lists(_CONTENT, max_size=2) | _VALUES,
        "summary": st.just([{"type": "summary_text", "text": "Hm"}]) | _VALUES,
        "encrypted_content": st.text(max_size=8).map(lambda text: f"{MARK}{text}") | _VALUES,
        "id": st.just("rs_1") | _VALUES,
        "tools": st.just([_LOOK]) | _VALUES,
    },
)
_OPTIONS = ["tools", "tool_choice", "text", "reasoning", "include", "instructions", "store", "metadata", "truncation"]


@settings(max_examples=100)
@given(
    st.text(max_size=5) | st.lists(_ITEMS, max_size=5) | _VALUES,
    st.dictionaries(st.sampled_from(_OPTIONS) | st.text(max_size=10), _VALUES, max_size=3),
)
def test_any_request_is_read_or_refused(given_input: Any, members: dict[str, Any]) -> None:
    sending = Sending(model="gpt-5", provider="openai", maker="openai", output_limit=5, room=5)
    try:
        call = decode(json.dumps({**members, "model": "m", "input": given_input}).encode())
        json.loads(CODEC.encode(call, sending))
        CODEC.counted(call)
        left_out_of(call)
        conversation = CODEC.to_conversation(call)
    except InvalidRequest:
        return
    assert any(turn.role != "system" for turn in conversation.turns)


@given(st.binary(max_size=80))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for whole in (body, b'{"model":"m","input":' + body + b"}"):
        try:
            call = decode(whole)
        except InvalidRequest:
            continue
        assert call.model
