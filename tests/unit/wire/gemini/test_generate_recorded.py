"""Requests that real clients send: each is decoded, passed on unchanged, and translated without a loss that matters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.wire.codec import Call, Sending
from reseller_kit.wire.codecs import CODECS
from reseller_kit.wire.gemini import CODEC, decode, decode_count, encode_count
from reseller_kit.wire.gemini.head import camel

_FOLDER = Path(__file__).parents[3] / "fixtures" / "requests"
_SENDING = Sending(model="gemini-3-flash", provider="google", maker="maker", output_limit=None, room=1_000)


def recordings(verb: str) -> dict[str, dict[str, Any]]:
    found = {file.stem: json.loads(file.read_text()) for file in sorted(_FOLDER.glob("*.json"))}
    return {name: request for name, request in found.items() if verb in request["target"]}


_GENERATED = recordings("enerateContent")
_COUNTS = recordings(":countTokens")


def body_of(request: dict[str, Any]) -> bytes:
    return json.dumps(request["body"], separators=(",", ":"), ensure_ascii=False).encode()


def call_of(request: dict[str, Any]) -> Call:
    return decode(body_of(request), model="m", stream="streamGenerateContent" in request["target"])


def test_clients_were_recorded() -> None:
    assert {name.rpartition("-")[0] for name in _GENERATED} >= {"gemini-cli", "google-genai-python", "vercel-ai-gemini"}
    assert _COUNTS


@pytest.mark.parametrize("name", _GENERATED)
def test_a_request_passes_unchanged(name: str) -> None:
    call = call_of(_GENERATED[name])
    assert CODEC.left_out(call) == ()
    assert json.loads(CODEC.encode(call, _SENDING)) == _GENERATED[name]["body"]


@pytest.mark.parametrize("name", _GENERATED)
def test_a_request_is_translated_and_back(name: str) -> None:
    body = _GENERATED[name]["body"]
    conversation = CODEC.to_conversation(call_of(_GENERATED[name]))
    assert conversation.left_out == ()
    assert CODEC.not_carried(conversation, _SENDING) == ()
    back = json.loads(CODEC.from_conversation(conversation, _SENDING))
    assert parts_in(back, "text") == parts_in(body, "text")
    for sent, given in zip(parts_in(back, "functionCall"), parts_in(body, "functionCall"), strict=True):
        assert (sent["name"], sent["args"]) == (given["name"], given["args"])
    assert [result["id"] for result in parts_in(back, "functionResponse")] == [
        call["id"] for call in parts_in(back, "functionCall")
    ]
    assert [blob["mimeType"] for blob in parts_in(back, "inlineData")] == [
        blob.get("mimeType") or blob["mime_type"] for blob in parts_in(body, "inlineData")
    ]
    assert names_in(back) == names_in(body)
    assert back.get("systemInstruction", {}).get("parts") == body.get("systemInstruction", {}).get("parts")
    config, original = back.get("generationConfig", {}), body.get("generationConfig", {})
    for member in ("temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "responseMimeType"):
        assert config.get(member) == original.get(member)


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
@pytest.mark.parametrize("name", _GENERATED)
def test_a_request_reaches_every_other_api(name: str, api: Any) -> None:
    conversation = CODEC.to_conversation(call_of(_GENERATED[name]))
    sent = json.loads(CODECS[api].from_conversation(conversation, _SENDING))
    assert sent["model"] == _SENDING.model


@pytest.mark.parametrize("name", _COUNTS)
def test_a_count_is_asked_for(name: str) -> None:
    body = _COUNTS[name]["body"]
    sent = json.loads(encode_count(decode_count(body_of(_COUNTS[name]), model="m"), _SENDING))
    assert sent["generateContentRequest"]["contents"] == body["contents"]


def parts_in(body: dict[str, Any], kind: str) -> list[Any]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    return [value for part in parts for name, value in part.items() if camel(name) == kind]


def names_in(body: dict[str, Any]) -> list[str]:
    return [one["name"] for tool in body.get("tools", []) for one in tool["functionDeclarations"]]
