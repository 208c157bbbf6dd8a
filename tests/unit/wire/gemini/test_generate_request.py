"""generateContent requests passed through: what is metered, what is sent, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.wire.codec import Call, Sending
from reseller_kit.wire.gemini import CODEC, count_body, count_path, decode, decode_count, encode_count, read_count
from reseller_kit.wire.gemini.thoughts import SKIP, shown
from reseller_kit.wire.media import IMAGE_TOKENS, REMOTE_TOKENS, Medium

_USER = {"role": "user", "parts": [{"text": "Hello"}]}
_DATA = "A" * 4_000
_DECLARED = {"functionDeclarations": [{"name": "look"}]}


def body_of(*contents: Any, **members: Any) -> bytes:
    document = {"contents": list(contents) or [_USER], "generationConfig": {"maxOutputTokens": 5_000}, **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def read(*contents: Any, stream: bool = False, **members: Any) -> Call:
    return decode(body_of(*contents, **members), model="aurora-fast", stream=stream)


def refused(body: bytes) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, model="aurora-fast", stream=False)
    return caught.value.param


def sending(*, output_limit: int | None = None, model: str = "gemini-x") -> Sending:
    return Sending(model=model, provider="google", maker="maker", output_limit=output_limit, room=900)


def sent(call: Call, *, output_limit: int | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(CODEC.encode(call, sending(output_limit=output_limit)))
    return document


def test_the_head_is_read() -> None:
    call = read(stream=True)
    assert (call.api, call.model, call.stream, call.n) == ("generate_content", "aurora-fast", True, 1)
    assert (call.output_limit, call.input_bound, call.media_tokens) == (5_000, len(body_of()), 0)
    assert (call.needs, call.headers) == ((), ())


def test_everything_but_the_limit_travels_untouched() -> None:
    members: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        "frobnicate": {"a": [1.50, "é"]},
        "tools": [_DECLARED, {"computerUse": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingBudget": 3}, "frobnicate": 1},
    }
    assert sent(read(**members)) == json.loads(body_of(**members))


def test_the_models_name_and_the_accounts_books_are_not_sent() -> None:
    call = read(model="models/other", labels={"a": "b"}, store=True)
    assert sent(call).keys() == {"contents", "generationConfig"}
    assert CODEC.left_out(call) == ("labels", "store")


def test_both_spellings_mean_the_same() -> None:
    config = {"max_output_tokens": 7, "candidate_count": 2, "response_modalities": ["IMAGE"]}
    call = read(generationConfig=..., generation_config=config, system_instruction={"parts": []})
    assert (call.output_limit, call.n, call.needs) == (7, 2, ("output_image",))
    document = sent(call, output_limit=5)
    assert document["generationConfig"] == {
        "maxOutputTokens": 5,
        "candidateCount": 2,
        "responseModalities": ["IMAGE"],
    }
    assert "systemInstruction" in document


@pytest.mark.parametrize(("lowered", "limit"), [(None, 5_000), (700, 700), (9_000, 5_000)])
def test_the_limit_is_the_lower_one(lowered: int | None, limit: int) -> None:
    assert sent(read(), output_limit=lowered)["generationConfig"] == {"maxOutputTokens": limit}


def test_a_limit_that_is_not_named_is_added_when_there_is_one() -> None:
    call = read(generationConfig=...)
    assert call.output_limit is None
    assert "generationConfig" not in sent(call)
    assert sent(call, output_limit=700)["generationConfig"] == {"maxOutputTokens": 700}
    assert sent(read(generationConfig={"topK": 3}), output_limit=700)["generationConfig"] == {
        "topK": 3,
        "maxOutputTokens": 700,
    }


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-x", "/models/gemini-x"),
        ("models/gemini-x", "/models/gemini-x"),
        ("tunedModels/mine", "/tunedModels/mine"),
        ("odd name?x", "/models/odd%20name%3Fx"),
    ],
)
def test_the_path_names_the_model_and_what_to_do(model: str, path: str) -> None:
    plain, streamed = read(), read(stream=True)
    assert CODEC.path(plain, sending(model=model)) == f"{path}:generateContent"
    assert CODEC.path(streamed, sending(model=model)) == f"{path}:streamGenerateContent?alt=sse"
    assert count_path(plain, sending(model=model)) == f"{path}:countTokens"


def test_what_is_asked_for_beyond_text_is_told() -> None:
    audio = {"inlineData": {"mimeType": "audio/wav", "data": _DATA}}
    needs = read({"parts": [audio]}, generationConfig={"responseModalities": ["TEXT", "IMAGE", "AUDIO"]}).needs
    assert needs == ("input_audio", "output_image", "output_audio")


def test_media_are_bounded_by_what_they_are() -> None:
    image, remote = {"mimeType": "image/png", "data": _DATA}, {"fileUri": "https://a.example/b.pdf"}
    for part in ({"inlineData": image}, {"inline_data": {"mime_type": "image/png", "data": _DATA}}):
        call = read({"parts": [part]})
        assert call.media_tokens == IMAGE_TOKENS
        assert call.input_bound < 300 + IMAGE_TOKENS
    assert read({"parts": [{"file_data": {"file_uri": "https://a.example/b"}}]}).media_tokens == REMOTE_TOKENS
    answered = {"name": "look", "response": {}, "parts": [{"inlineData": image}, {"fileData": remote}]}
    assert read({"parts": [{"functionResponse": answered}]}).media_tokens == IMAGE_TOKENS + REMOTE_TOKENS


def test_tools_that_run_elsewhere_are_not_sent() -> None:
    tools = [{"googleSearch": {}, **_DECLARED}, {"url_context": {}}]
    call = read(tools=tools, toolConfig={"functionCallingConfig": {"mode": "AUTO"}})
    assert sent(call)["tools"] == [_DECLARED]
    assert CODEC.left_out(call) == ("tools[0].googleSearch", "tools[1].url_context")
    alone = read(tools={"googleSearch": {}}, toolConfig={})
    assert not sent(alone).keys() & {"tools", "toolConfig"}
    assert sent(read(tools=_DECLARED))["tools"] == _DECLARED


def test_signatures_go_back_to_their_maker_alone() -> None:
    def parts(maker: str) -> list[dict[str, Any]]:
        signature = shown("sig", maker)
        return [
            {"text": "Hm", "thought": True, "thoughtSignature": signature},
            {"functionCall": {"name": "look", "args": {"a": 1.50}}, "thought_signature": signature},
            {"text": "A", "thoughtSignature": "QUFB"},
        ]

    own = sent(read(_USER, {"role": "model", "parts": parts("maker")}))["contents"][1]["parts"]
    assert [part.get("thoughtSignature", part.get("thought_signature")) for part in own[:3]] == ["sig", "sig", "QUFB"]
    foreign = sent(read(_USER, {"role": "model", "parts": parts("other")}))["contents"][1]["parts"]
    assert [part.get("thoughtSignature", part.get("thought_signature")) for part in foreign] == [SKIP, "QUFB"]
    single = {"role": "model", "parts": parts("maker")[0]}
    assert sent(read(single))["contents"][0]["parts"][0]["thoughtSignature"] == "sig"
    words = {"role": "model", "parts": {"text": "A", "thoughtSignature": shown("sig", "other")}}
    assert sent(read(words))["contents"] == [{"role": "model", "parts": [{"text": "A"}]}]
    alone = {"role": "model", "parts": parts("other")[:1]}
    assert sent(read(_USER, alone))["contents"] == [_USER]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"contents": ...}, "contents"),
        ({"contents": None}, "contents"),
        ({"contents": 7}, "contents"),
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"cached_content": "cachedContents/x"}, "cachedContent"),
        ({"serviceTier": "priority"}, "serviceTier"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"topP": 1.5}}, "generationConfig.topP"),
        ({"generationConfig": {"maxOutputTokens": "9"}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"MaxOutputTokens": 9}}, "MaxOutputTokens"),
        ({"generationConfig": {"max_output_tokens": 9, "maxOutputTokens": 8}}, "maxOutputTokens"),
        ({"generationConfig": {"candidateCount": 9}}, "generationConfig.candidateCount"),
        ({"generationConfig": {"responseModalities": ["VIDEO"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"routingConfig": {}}}, "routingConfig"),
        ({"generationConfig": 7}, None),
        ({"generation_config": {}}, "generationConfig"),
        ({"api_base": "https://a.example"}, "api_base"),
        ({"tools": 7}, "tools"),
        (
            {"tools": [{"googleSearch": {}}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
            "tools[0].googleSearch",
        ),
    ],
)
def test_what_can_not_be_priced_is_refused(members: dict[str, Any], param: str | None) -> None:
    assert refused(body_of(**members)) == param


def test_duplicates_are_refused() -> None:
    assert refused(b'{"contents":[],"contents":[]}') == "contents"
    assert refused(b'{"contents":[],"generationConfig":{"topK":1,"topK":2}}') == "topK"


def test_a_path_without_a_model_is_refused() -> None:
    for model in ("", "m" * 201):
        with pytest.raises(InvalidRequest):
            decode(body_of(), model=model, stream=False)


def test_input_is_estimated_from_what_the_model_reads() -> None:
    call = read(
        {"role": "user", "parts": [{"text": "one"}, {"inlineData": {"mimeType": "image/png", "data": _DATA}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "two", "args": {"a": "three"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "two", "response": {"output": "four"}}}]},
        systemInstruction={"parts": [{"text": "five"}]},
        tools=[{"functionDeclarations": [{"name": "six"}]}],
        generationConfig={"responseSchema": {"title": "seven"}},
    )
    found = CODEC.counted(call)
    text = "\n".join(found.texts)
    assert all(word in text for word in ("one", "two", "three", "four", "five", "six", "seven"))
    assert _DATA not in text
    assert (found.media, found.messages, found.tools) == ([Medium("image", _DATA)], 4, 1)


def test_a_count_is_asked_for_what_is_counted() -> None:
    members: dict[str, Any] = {"tools": [_DECLARED], "safetySettings": []}
    inner = json.loads(body_of(**members))
    wanted = {"model": "models/gemini-x", "contents": [_USER], "tools": [_DECLARED]}
    wrapped = json.dumps({"generateContentRequest": {"model": "models/other", **inner}}).encode()
    for body in (body_of(**members), wrapped, wrapped.replace(b"generateContentRequest", b"generate_content_request")):
        call = decode_count(body, model="aurora-fast")
        assert json.loads(encode_count(call, sending())) == {"generateContentRequest": wanted}
    assert read_count(b'{"totalTokens":7,"promptTokensDetails":[]}') == 7
    assert read_count(b"{}") == 0
    assert json.loads(count_body(7)) == {"totalTokens": 7}
    for answer in (b"", b"[]", b'{"totalTokens":-1}', b'{"totalTokens":"7"}'):
        with pytest.raises(UpstreamFailed):
            read_count(answer)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    "contents",
    "generationConfig",
    "tools",
    "toolConfig",
    "systemInstruction",
    "serviceTier",
    "generation_config",
]


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=10), _VALUES, max_size=4))
def test_any_object_is_read_or_refused(document: dict[str, Any]) -> None:
    try:
        call = decode(json.dumps(document).encode(), model="m", stream=False)
    except InvalidRequest:
        return
    json.loads(CODEC.encode(call, sending(output_limit=5)))
    CODEC.counted(call)
    assert call.input_bound >= 0


@settings(max_examples=150)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for reading in (body, b'{"contents":[' + body + b"]}"):
        try:
            decode(reading, model="m", stream=False)
        except InvalidRequest:
            continue
