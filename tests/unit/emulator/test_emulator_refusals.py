"""Whatever comes in, the emulator answers in the words of the dialect: an oracle that falls over proves nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts._emulator import routes, sample, signing
from scripts._emulator.directives import Directives
from scripts._emulator.exchange import Options, Request, World
from scripts._emulator.journal import Journal

KEYS = {"authorization": "Bearer sk-1", "x-goog-api-key": "AIza", "anthropic-version": "2023-06-01"}
# What one request of each dialect may look like. A test puts something else in the place of any one of its parts.
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
FORMAT = {"type": "json_schema", "name": "found", "schema": SCHEMA}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": signing.sign("emulator", "hm")}
WORDS = [{"type": "text", "text": "x"}]
MESSAGES: Any = {
    "model": "m",
    "max_tokens": 3000,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "tools": [{"name": "f", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "low", "format": FORMAT},
    "stop_sequences": ["STOP"],
    "stream": True,
    "speed": "fast",
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [THOUGHT, {"type": "tool_use", "id": "t_1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t_1", "content": WORDS}]},
        {"role": "assistant", "content": "So"},
        {"role": "user", "content": [{"type": "text", "text": "Go [[tool]]"}]},
    ],
}
RESPONSES: Any = {
    "model": "m",
    "instructions": "Be brief.",
    "client_metadata": {"session": "x"},
    "max_output_tokens": 90,
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": FORMAT, "verbosity": "low"},
    "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]}],
    "tool_choice": {"type": "function", "name": "f"},
    "stream": True,
    "store": False,
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": signing.sign("emulator", "x")},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "x"}]},
        {"role": "user", "content": "Go [[tool]]"},
    ],
}
CONTENTS: Any = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {
        "maxOutputTokens": 90,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5},
        "responseMimeType": "application/json",
        "responseSchema": SCHEMA,
        "stopSequences": ["STOP"],
    },
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": signing.sign("emulator", "x")}],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"found": ["x"]}}}]},
        {"role": "model", "parts": [{"text": "So"}]},
        {"role": "user", "parts": [{"text": "Go"}]},
    ],
}
CHAT: Any = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 50,
    "reasoning_effort": "low",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c_1", "type": "function"}]},
        {"role": "tool", "tool_call_id": "c_1", "content": "x"},
        {"role": "user", "content": "Go"},
    ],
}
SMALL: Any = {
    "model": "m",
    "input": ["Hi", "there"],
    "prompt": "Hi",
    "query": "Hi",
    "documents": ["Hi", {"text": "there"}],
    "top_n": 1,
    "n": 2,
    "size": "auto",
    "quality": "low",
    "voice": "alloy",
    "dimensions": 4,
    "encoding_format": "base64",
    "stream_options": {"include_usage": True},
}
EMBED: Any = {"content": {"parts": [{"text": "Hi"}]}, "outputDimensionality": 4}
REQUESTS: tuple[tuple[str, Any], ...] = (
    ("/v1/chat/completions", CHAT),
    ("/v1/responses", RESPONSES),
    ("/v1/responses/input_tokens", RESPONSES),
    ("/v1/messages", MESSAGES),
    ("/v1/messages/count_tokens", MESSAGES),
    ("/v1beta/models/gemini-3:generateContent", CONTENTS),
    ("/v1beta/models/gemini-3:streamGenerateContent", CONTENTS),
    ("/v1beta/models/gemini-3:countTokens", {"generateContentRequest": CONTENTS}),
    ("/v1beta/models/gemini-3:embedContent", EMBED),
    ("/v1beta/models/gemini-3:batchEmbedContents", {"requests": [EMBED]}),
    *((f"/v1/{name}", SMALL) for name in ("completions", "embeddings", "moderations", "rerank", "images/generations")),
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES | st.sampled_from(["user", "text", "tool_result", "function_call_output", "reasoning", "[[tool=2]]"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text"]), inner, max_size=2),
    max_leaves=4,
)


def places(found: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each part of a document."""
    inner: Any = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [way for name, value in inner for way in ((*start, name), *places(value, (*start, name)))]


def put(found: Any, way: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with something else in one place."""
    if not way:
        return value
    copied = list(found) if isinstance(found, list) else dict(found)
    copied[way[0]] = put(found[way[0]], way[1:], value)
    return copied


def world(**options: Any) -> World:
    fixed: dict[str, Any] = {"models": (), "api_keys": frozenset(), "always": Directives()}
    return World(Options(**{"name": "emulator", **fixed, **options}), Journal(None))


def answer(path: str, body: bytes, headers: dict[str, str] = KEYS) -> tuple[int, bytes]:
    plan = routes.plan(Request("POST", path, headers, body), world())
    assert plan.line.status == int(plan.pieces[0][0].split()[1])
    return plan.line.status, b"".join(piece for piece, _ in plan.pieces[1:])


@pytest.mark.parametrize(("path", "body"), REQUESTS)
def test_the_requests_are_good_as_they_are(path: str, body: Any) -> None:
    status, told = answer(path, json.dumps(body).encode())
    assert (status, b'"error":{' in told) == (200, False)


@pytest.mark.parametrize(("path", "body"), REQUESTS)
@given(data=st.data())
def test_no_part_of_a_request_makes_it_fall(path: str, body: Any, data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(places(body)))
    status, told = answer(path, json.dumps(put(body, way, data.draw(VALUES))).encode())
    assert status in (200, 400, 404)
    if status != 200:
        assert json.loads(told)["error"]["message"]


@pytest.mark.parametrize("path", [*(path for path, _ in REQUESTS), "/v1/audio/speech", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"model":1}'])
def test_no_bytes_make_it_fall(path: str, body: bytes) -> None:
    status, told = answer(path, body)
    assert status in (400, 404)
    assert json.loads(told)["error"]["message"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "word"),
    [
        ("/v1/responses", {}, 401, b'"invalid_api_key"'),
        ("/v1/responses", {"x-api-key": "sk"}, 401, b'"invalid_api_key"'),
        ("/v1/messages", {"anthropic-version": "2023-06-01"}, 401, b'"authentication_error"'),
        ("/v1/messages", {"x-api-key": "sk"}, 400, b"anthropic-version"),
        ("/v1beta/models/m:generateContent", {}, 403, b"PERMISSION_DENIED"),
        ("/v1/nothing", KEYS, 404, b"Invalid URL"),
    ],
)
def test_a_dialect_looks_for_the_key_in_its_own_place(
    path: str, headers: dict[str, str], status: int, word: bytes
) -> None:
    found, told = answer(path, b"{}", headers)
    assert found == status
    assert word in told


@given(VALUES)
def test_any_schema_has_a_sample(schema: Any) -> None:
    json.dumps(sample.value(schema))


def test_references_in_a_schema_are_followed() -> None:
    schema: Any = {"$defs": {"n": {"type": "integer", "minimum": 3}}, "type": "object", "required": ["a", "b"]}
    schema |= {"properties": {"a": {"$ref": "#/$defs/n"}, "b": {"type": "ARRAY", "items": {"enum": ["x", "y"]}}}}
    assert sample.value(schema) == {"a": 3, "b": ["x"]}
    loop = {"$ref": "#"}
    assert sample.value(loop) == "a plain value" or sample.value(loop) == "value"


def test_signatures_are_of_one_emulator_and_one_text() -> None:
    signed = signing.sign("one", "thought")
    assert signing.covers("one", signed, "thought")
    assert signing.made_here("one", signed)
    assert signing.made_here("one", signed.replace("+", "-").replace("/", "_"))
    assert not signing.covers("one", signed, "another")
    assert not signing.made_here("two", signed)
    assert not any(signing.made_here("one", token) for token in ("", "x", None, "AAAA", 5))


def test_secrets_stay_out_of_the_journal() -> None:
    headers = {"x-api-key": "sk-secret", "cookie": "c", "anthropic-version": "2023-06-01", "idempotency-key": "kept"}
    plan = routes.plan(Request("POST", "/v1/messages?key=sk-query&beta=true", headers, b"{}"), world(keep_bytes=1))
    assert plan.line.headers == {"anthropic-version": "2023-06-01", "idempotency-key": "kept"}
    assert (plan.line.query, plan.line.body, plan.line.body_bytes) == ("beta=true", None, 2)
    assert len(plan.line.body_sha256) == 64
