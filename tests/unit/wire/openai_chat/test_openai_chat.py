"""Chat requests: what is metered, what is refused, and that what was metered is what is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.codec import Call, Sending, check_priced
from reseller_kit.wire.media import IMAGE_TOKENS, PAGE_TOKENS, REMOTE_TOKENS
from reseller_kit.wire.members import REFUSED
from reseller_kit.wire.openai_chat.fields import METERED
from reseller_kit.wire.openai_chat.request import counted, decode, encode, left_out_of

_MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]


def make_body(**members: Any) -> bytes:
    document = {"model": "gpt-5-mini", "messages": _MESSAGES, **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def sent(call: Call, model: str = "up", *, output_limit: int | None = None, provider: str = "openai") -> dict[str, Any]:
    sending = Sending(model=model, provider=provider, maker=provider, output_limit=output_limit, room=100)
    found: dict[str, Any] = json.loads(encode(call, sending))
    return found


def parts(*content: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": [{"type": "text", "text": "Look"}, *content]}]


def test_a_small_request_is_read() -> None:
    call = decode(make_body())
    assert (call.model, call.stream, call.n, call.output_limit, call.include_usage) == (
        "gpt-5-mini",
        False,
        1,
        None,
        False,
    )
    assert (call.input_bound, call.media_tokens, call.needs) == (len(make_body()), 0, ())


def test_a_full_request_is_read() -> None:
    call = decode(
        make_body(stream=True, n=3, max_tokens=10, max_completion_tokens=20, stream_options={"include_usage": True})
    )
    assert (call.stream, call.n, call.output_limit, call.include_usage) == (True, 3, 20, True)


def test_null_is_as_good_as_absent() -> None:
    call = decode(
        make_body(
            stream=None, n=None, max_tokens=None, stream_options=None, service_tier=None, tools=None, modalities=None
        )
    )
    assert (call.stream, call.n, call.output_limit) == (False, 1, None)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": ...}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"messages": ...}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [{"content": "Hello"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"n": 0}, "n"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"n": 129}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "10"}, "max_tokens"),
        ({"max_tokens": 10.0}, "max_tokens"),
        ({"max_tokens": 2**80}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"tools": [{"type": "function"}, {"type": "web_search"}]}, "tools[1].type"),
        ({"tools": {}}, "tools"),
        ({"modalities": ["text", "video"]}, "modalities[1]"),
        ({"modalities": "audio"}, "modalities"),
        ({"Max_Tokens": 9}, "Max_Tokens"),
        ({"maxTokens": 9}, "maxTokens"),
        ({"MODEL": "x"}, "MODEL"),
        ({"me\u017f\u017fages": []}, "me\u017f\u017fages"),
        ({"apiBase": "http://x"}, "apiBase"),
    ],
)
def test_out_of_range_is_refused_with_its_name(members: dict[str, Any], param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(make_body(**members))
    assert refusal.value.param == param
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_steers_routing_or_billing_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(make_body(**{name: None}))
    assert refusal.value.param == name


@pytest.mark.parametrize("name", sorted(METERED))
def test_metered_members_twice_are_refused(name: str) -> None:
    body = make_body(stream=True, n=1, max_tokens=5, max_completion_tokens=5, stream_options={}, service_tier="auto")
    document = json.loads(body)
    document.update({"tools": [{"type": "function"}], "modalities": ["text"]})
    again = json.dumps(document)[:-1] + f', "{name}": {json.dumps(document[name])}}}'
    escaped = again[::-1].replace(name[::-1], f"\\u{ord(name[0]):04x}{name[1:]}"[::-1], 1)[::-1]
    for doubled in (again, escaped):
        with pytest.raises(InvalidRequest) as refusal:
            decode(doubled.encode())
        assert refusal.value.param == name


def test_unknown_members_travel_untouched() -> None:
    call = decode(make_body(top_k=5, chat_template_kwargs={"thinking": False}, logit_bias={"1": -100}))
    assert sent(call)["top_k"] == 5
    assert sent(call)["chat_template_kwargs"] == {"thinking": False}
    assert sent(call)["logit_bias"] == {"1": -100}


@pytest.mark.parametrize(
    ("members", "left"),
    [
        ({"store": True, "metadata": {"a": "b"}}, ("store", "metadata")),
        ({"store": True}, ("store",)),
        ({"store": False, "metadata": {"a": "b"}}, ()),
        ({"store": None, "metadata": {"a": "b"}}, ()),
        ({"metadata": {"a": "b"}}, ()),
    ],
)
def test_no_upstream_is_asked_to_keep_an_answer(members: dict[str, Any], left: tuple[str, ...]) -> None:
    call = decode(make_body(**members))
    assert left_out_of(call) == left
    assert {name: value for name, value in sent(call).items() if name in members} == {
        name: value for name, value in members.items() if name not in left
    }


def test_the_model_is_replaced_and_nothing_else() -> None:
    body = make_body(temperature=0.7, seed=1)
    assert sent(decode(body), 'up/"x"') == {**json.loads(body), "model": 'up/"x"'}


@pytest.mark.parametrize(
    ("given_options", "sent_options"),
    [
        (..., {"include_usage": True}),
        (None, {"include_usage": True}),
        ({"include_usage": False, "include_obfuscation": False}, {"include_usage": True, "include_obfuscation": False}),
    ],
)
def test_a_stream_always_asks_for_usage(given_options: Any, sent_options: Any) -> None:
    call = decode(make_body(stream=True, stream_options=given_options))
    assert sent(call)["stream_options"] == sent_options
    assert not call.include_usage


def test_options_of_a_stream_do_not_travel_without_one() -> None:
    call = decode(make_body(stream_options={"include_usage": True}))
    assert "stream_options" not in sent(call)
    assert not call.include_usage


@pytest.mark.parametrize(
    ("members", "limit", "expected"),
    [
        ({}, None, {}),
        ({}, 300, {"max_completion_tokens": 300}),
        ({"max_tokens": None}, 300, {"max_completion_tokens": 300}),
        ({"max_tokens": 500}, None, {"max_tokens": 500}),
        ({"max_tokens": 500}, 500, {"max_tokens": 500}),
        ({"max_tokens": 500}, 900, {"max_tokens": 500}),
        ({"max_tokens": 500}, 300, {"max_tokens": 300}),
        ({"max_completion_tokens": 500}, 300, {"max_completion_tokens": 300}),
        ({"max_tokens": 100, "max_completion_tokens": 500}, 300, {"max_tokens": 100, "max_completion_tokens": 300}),
    ],
)
def test_the_limit_is_lowered_where_the_caller_set_it(
    members: dict[str, Any], limit: int | None, expected: dict[str, int]
) -> None:
    found = sent(decode(make_body(**members)), output_limit=limit)
    assert {name: value for name, value in found.items() if name.startswith("max_") and value} == expected


def test_an_older_upstream_gets_the_older_field() -> None:
    assert sent(decode(make_body()), output_limit=300, provider="other")["max_tokens"] == 300


def test_images_count_with_their_bound_not_their_bytes() -> None:
    data = "A" * 100_000
    body = make_body(messages=parts({"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}))
    call = decode(body)
    assert call.input_bound == len(body) - len(data) + IMAGE_TOKENS
    assert call.media_tokens == IMAGE_TOKENS
    remote = decode(make_body(messages=parts({"type": "image_url", "image_url": "https://pictures.example/1.png"})))
    assert remote.media_tokens == IMAGE_TOKENS


def test_recordings_need_a_price_of_their_own() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 16_000, "format": "mp3"}}
    call = decode(make_body(messages=parts(audio)))
    assert call.needs == ("input_audio",)
    assert call.media_tokens == 16 * 50 + 64
    check_priced(call, {"input", "output", "input_audio"})
    with pytest.raises(InvalidRequest) as refusal:
        check_priced(call, {"input", "output"})
    assert refusal.value.param == "messages"


@pytest.mark.parametrize(("modality", "needed"), [("audio", "output_audio"), ("image", "output_image")])
def test_other_output_than_text_needs_a_price_of_its_own(modality: str, needed: str) -> None:
    call = decode(make_body(modalities=["text", modality, modality]))
    assert call.needs == (needed,)
    check_priced(call, {"input", "output", needed})
    with pytest.raises(InvalidRequest) as refusal:
        check_priced(call, {"input", "output"})
    assert refusal.value.param == "modalities"


def test_files_are_taken_inline_or_by_address_never_by_the_providers_id() -> None:
    body = make_body(messages=parts({"type": "file", "file": {"file_data": "data:text/plain;base64,AAAA"}}))
    assert (decode(body).media_tokens, decode(body).input_bound) == (4, len(body))
    pdf = base64.b64encode(b"%PDF-1.7 1 0 obj << /Type /Page >> endobj").decode()
    inline = decode(
        make_body(messages=parts({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{pdf}"}}))
    )
    assert inline.media_tokens == PAGE_TOKENS
    remote = decode(make_body(messages=parts({"type": "file", "file": {"file_data": "https://papers.example/1.pdf"}})))
    assert remote.media_tokens == REMOTE_TOKENS
    with pytest.raises(InvalidRequest):
        decode(make_body(messages=parts({"type": "file", "file": {"file_id": "file-abc"}})))


def test_media_are_found_behind_escapes() -> None:
    body = make_body(messages=parts({"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}))
    assert decode(body.replace(b"image_url", b"image\\u005furl")).media_tokens == IMAGE_TOKENS


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=4), st.booleans())
def test_the_bound_is_never_below_the_bytes_of_the_text(texts: list[str], escaped: bool) -> None:  # noqa: FBT001
    document = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}
    call = decode(json.dumps(document, ensure_ascii=escaped, separators=(",", ":")).encode())
    size = sum(len(text.encode()) for text in texts)
    assert call.input_bound >= size + 4 * len(texts)
    assert sum(len(text.encode()) for text in counted(call).texts) <= call.input_bound


def test_our_own_count_sees_text_tools_and_media() -> None:
    tools = [{"type": "function", "function": {"name": "look", "description": "Looks"}}]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    call = decode(make_body(messages=parts(image), tools=tools))
    found = counted(call)
    assert (found.messages, found.tools, [medium.kind for medium in found.media]) == (1, 1, ["image"])
    assert found.texts[0] == "Look"
    assert '"description": "Looks"' in found.texts[-1]
    assert "base64" not in "".join(found.texts)


_any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=4) | st.just("image_url"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "image_url", "url", "text", "x"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)
_any_request = st.dictionaries(
    st.sampled_from([*sorted(METERED), "user", "x", "api_base"]) | st.text(max_size=3), _any_json, max_size=6
)


@settings(max_examples=100)
@given(_any_request, st.booleans())
def test_any_json_is_read_or_refused(document: dict[str, Any], plausible: bool) -> None:  # noqa: FBT001
    if plausible:
        document = {"model": "m", "messages": _MESSAGES, **document}
    try:
        call = decode(json.dumps(document).encode())
        body = sent(call, output_limit=7)
    except InvalidRequest:
        return
    assert body["model"] == "up"
    assert max(body.get("max_tokens") or 0, body.get("max_completion_tokens") or 0) in range(1, 8)
    assert body["messages"] == document["messages"]
    assert counted(call).messages == len(document["messages"])


@settings(max_examples=100)
@given(st.binary(max_size=80), st.integers(0, 200))
def test_any_bytes_are_refused_with_a_reason(noise: bytes, place: int) -> None:
    body = make_body(stream=True)
    for attempt in (noise, body[:place] + noise + body[place:], body[:place] + noise):
        try:
            call = decode(attempt)
        except InvalidRequest:
            continue
        assert sent(call)["model"] == "up"


def test_a_number_that_no_decoder_takes_does_not_stop_the_estimate() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"seen","x":1e400}]}'
    assert "seen" in counted(decode(body)).texts[0]
