"""Messages requests passed through: what is metered, what is sent, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.wire.anthropic_messages import (
    CODEC,
    count_body,
    counted,
    decode,
    decode_count,
    encode_count,
    read_count,
)
from reseller_kit.wire.codec import Call, Sending
from reseller_kit.wire.media import IMAGE_TOKENS, REMOTE_TOKENS
from reseller_kit.wire.signatures import MARK, mark

_USER = {"role": "user", "content": "Hello"}
_PNG = {"type": "base64", "media_type": "image/png", "data": "A" * 4_000}


def body_of(*messages: Any, **members: Any) -> bytes:
    document = {"model": "aurora-fast", "max_tokens": 5_000, "messages": list(messages) or [_USER], **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def read(*messages: Any, **members: Any) -> Call:
    return decode(body_of(*messages, **members))


def refused(*messages: Any, **members: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        read(*messages, **members)
    return caught.value.param


def sending(*, output_limit: int | None = None) -> Sending:
    return Sending(model="claude-x", provider="anthropic", maker="maker", output_limit=output_limit, room=900)


def sent(call: Call, *, output_limit: int | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(CODEC.encode(call, sending(output_limit=output_limit)))
    return document


def test_the_head_is_read() -> None:
    call = read(stream=True)
    assert (call.api, call.model, call.stream, call.n, call.output_limit) == ("messages", "aurora-fast", True, 1, 5_000)
    assert call.input_bound == len(body_of(stream=True))
    assert (call.media_tokens, call.needs, call.headers) == (0, (), ())


def test_everything_but_model_and_limit_travels_untouched() -> None:
    members = {
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc"}],
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": []},
        "frobnicate": {"a": [1.50, "é"]},
        "metadata": {"user_id": "u"},
    }
    later = {"role": "system", "content": "Be brief."}
    document = json.loads(body_of(_USER, later, **members))
    assert sent(read(_USER, later, **members)) == {**document, "model": "claude-x"}


def test_an_id_of_an_earlier_answer_is_not_sent() -> None:
    assert "diagnostics" not in sent(read(diagnostics={"previous_message_id": "msg_1"}))


@pytest.mark.parametrize(("lowered", "limit"), [(None, 5_000), (700, 700), (9_000, 5_000)])
def test_the_limit_is_the_lower_one(lowered: int | None, limit: int) -> None:
    assert sent(read(), output_limit=lowered)["max_tokens"] == limit


@pytest.mark.parametrize(
    ("lowered", "thinking"),
    [
        (None, {"type": "enabled", "budget_tokens": 4_000, "display": "omitted"}),
        (4_500, {"type": "enabled", "budget_tokens": 4_000, "display": "omitted"}),
        (4_000, {"type": "enabled", "budget_tokens": 3_999, "display": "omitted"}),
        (1_024, None),
    ],
)
def test_a_budget_of_thought_stays_below_a_lowered_limit(lowered: int | None, thinking: Any) -> None:
    call = read(thinking={"type": "enabled", "budget_tokens": 4_000, "display": "omitted"})
    assert sent(call, output_limit=lowered).get("thinking") == thinking


def test_version_and_betas_are_kept_of_the_headers() -> None:
    headers = [
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"a-1"),
        (b"x-api-key", b"sk-secret"),
        (b"anthropic-beta", b" b-2 "),
    ]
    assert decode(body_of(), headers).headers == (("anthropic-version", "2023-06-01"), ("anthropic-beta", "a-1,b-2"))
    for value in (b"a\xff", b"a\x01b", b"a" * 3_000):
        with pytest.raises(InvalidRequest) as caught:
            decode(body_of(), [(b"anthropic-beta", value)])
        assert caught.value.param == "anthropic-beta"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"max_tokens": 1 << 40}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"Max_Tokens": 9}, "Max_Tokens"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"fallbacks": []}, "fallbacks"),
        ({"api_base": "http://x"}, "api_base"),
        ({"workspace_id": "w"}, "workspace_id"),
        ({"tools": [{"type": "code_execution_20260120", "name": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": "web_fetch_20260318", "name": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": "advisor_20260301", "name": "x", "model": "m"}]}, "tools[0].type"),
        ({"tools": [{"name": "x"}, {"type": "mcp_toolset"}]}, "tools[1].type"),
        ({"tools": {"name": "x"}}, "tools"),
        ({"tools": [{"name": "x"}, {"type": 1}]}, "tools[1].type"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"system": 1}, "system"),
        ({"system": {"type": "text", "text": "x"}}, "system"),
        ({"system": True}, "system"),
    ],
)
def test_what_the_meter_can_not_allow_is_refused(members: dict[str, Any], param: str) -> None:
    assert refused(**members) == param


def test_a_large_body_is_metered_and_refused_like_a_small_one() -> None:
    image = {"role": "user", "content": [{"type": "image", "source": _PNG}]}
    long = [{"type": "text", "text": "Be brief. " * 2_000}]
    call = read(image, system=long, tools=[{"name": "x", "description": "Looks. " * 2_000}])
    assert call.input_bound == len(
        body_of(image, system=long, tools=[{"name": "x", "description": "Looks. " * 2_000}])
    ) - (sum(medium.characters for medium in counted(call).media) - call.media_tokens)
    assert refused(system=long, temperature=9) == "temperature"
    assert refused({"role": "user", "content": [{"text": "x"}]}, system=long) == "messages[0].content[0].type"
    assert refused(system=long, tools=[{"type": "mcp_toolset", "padding": "x" * 9_000}]) == "tools[0].type"


def test_duplicate_keys_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        decode(body_of()[:-1] + b',"max_tokens":1}')


def test_tools_that_the_caller_runs_cost_nothing_more() -> None:
    kinds = ["custom", "bash_20250124", "text_editor_20250728", "memory_20250818", "tool_search_tool_bm25_20251119"]
    assert read(tools=[{"name": "x"}, *[{"type": kind, "name": kind} for kind in kinds]]).needs == ()


def test_searches_need_a_price_and_count_as_input() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    call = read(tools=tools)
    assert call.needs == ("tool_call",)
    assert call.input_bound == len(body_of(tools=tools)) + 50_000


def test_a_conversation_that_is_compacted_is_read_twice() -> None:
    members = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
    assert read(**members).input_bound == 2 * len(body_of(**members))


@pytest.mark.parametrize(
    ("block", "media_tokens", "characters"),
    [
        ({"type": "image", "source": _PNG}, IMAGE_TOKENS, 4_000),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, IMAGE_TOKENS, 0),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, REMOTE_TOKENS, 0),
        ({"type": "document", "source": {**_PNG, "media_type": "application/pdf"}}, 4_000, 4_000),
        ({"type": "document", "source": {"type": "text", "data": "A"}}, 0, 0),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": _PNG}]},
            IMAGE_TOKENS,
            4_000,
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": _PNG}]}},
            IMAGE_TOKENS,
            4_000,
        ),
    ],
)
def test_media_count_with_their_bounds(block: dict[str, Any], media_tokens: int, characters: int) -> None:
    message = {"role": "user", "content": [block]}
    call = read(message)
    assert call.media_tokens == media_tokens
    assert call.input_bound == len(body_of(message)) - characters + media_tokens


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "tool_result", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]},
    ],
)
def test_files_of_the_providers_account_are_refused(block: dict[str, Any]) -> None:
    assert (refused({"role": "user", "content": [block]}) or "").startswith("messages[0].content")
    spelt = json.dumps({"role": "user", "content": [block]}).replace('"file"', '"f\\u0069le"').encode()
    with pytest.raises(InvalidRequest):
        decode(b'{"model":"m","max_tokens":1,"messages":[%b]}' % spelt)


def test_nesting_has_an_end() -> None:
    block: dict[str, Any] = {"type": "image", "source": _PNG}
    for _ in range(8):
        block = {"type": "tool_result", "content": [block]}
    assert refused({"role": "user", "content": [block]}) is not None


def test_marked_thoughts_go_to_their_maker_alone() -> None:
    own, foreign = mark("sig", "maker"), mark("sig", "other")
    turns = [
        _USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "A", "signature": own},
                {"type": "thinking", "thinking": "B", "signature": foreign},
                {"type": "thinking", "thinking": "C", "signature": "real"},
                {"type": "redacted_thinking", "data": own},
                {"type": "redacted_thinking", "data": f"call:{own}"},
                {"type": "text", "text": f"{MARK} is a mark"},
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "B", "signature": mark("", "maker")}]},
        {"role": "user", "content": f"{MARK}?"},
    ]
    assert sent(read(*turns))["messages"] == [
        _USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "A", "signature": "sig"},
                {"type": "thinking", "thinking": "C", "signature": "real"},
                {"type": "redacted_thinking", "data": "sig"},
                {"type": "text", "text": f"{MARK} is a mark"},
            ],
        },
        {"role": "user", "content": f"{MARK}?"},
    ]


def test_counting_needs_no_limit_and_sends_what_is_counted() -> None:
    members = {"max_tokens": ..., "metadata": {"user_id": "u"}, "tools": [{"name": "x"}], "stream": True}
    call = decode_count(body_of(**members))
    assert call.output_limit is None
    assert json.loads(encode_count(call, sending())) == {
        "model": "claude-x",
        "messages": [_USER],
        "tools": [{"name": "x"}],
    }
    assert sent(call)["max_tokens"] == 900


def test_counts_are_read_and_written() -> None:
    assert read_count(b'{"input_tokens":12,"x":1}') == 12
    assert count_body(12) == b'{"input_tokens":12}'
    for body in (b"", b"[]", b'{"input_tokens":-1}', b'{"input_tokens":1.5}', b'{"input_tokens":true}', b"\xff"):
        with pytest.raises(UpstreamFailed):
            read_count(body)


def test_all_that_a_model_reads_is_counted() -> None:
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "written"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "found"}, plain]}
    image = {"role": "user", "content": [{"type": "text", "text": "seen"}, {"type": "image", "source": _PNG}, result]}
    call = read(image, system=[{"type": "text", "text": "kind"}], tools=[{"name": "look", "input_schema": {}}])
    found = counted(call)
    assert ([medium.kind for medium in found.media], found.messages, found.tools) == (["image"], 1, 1)
    text = "\n".join(found.texts)
    for word in ("seen", "kind", "look", "found", "written"):
        assert word in text
    assert "AAAA" not in text


def test_a_number_that_no_decoder_takes_does_not_stop_the_count() -> None:
    for number in ("1e400", "9" * 5_000):
        body = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"seen","x":%b}]}' % number.encode()
        assert "seen" in counted(decode(body)).texts[0]


def test_the_path_is_that_of_messages() -> None:
    assert CODEC.path(read(), sending()) == "/v1/messages"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = ["model", "messages", "max_tokens", "stream", "system", "tools", "thinking", "context_management", "metadata"]


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(_NAMES), _VALUES).map(lambda d: json.dumps(d).encode()))
def test_any_bytes_are_a_call_or_refused(body: bytes) -> None:
    try:
        call = decode_count(body)
    except InvalidRequest:
        return
    json.loads(CODEC.encode(call, sending(output_limit=9)))
