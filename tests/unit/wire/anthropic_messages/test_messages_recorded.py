"""Requests that real clients send: each is decoded, passed on unchanged, and translated without a loss that matters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.wire.anthropic_messages import CODEC, decode, decode_count, encode_count
from reseller_kit.wire.codec import Sending

_FOLDER = Path(__file__).parents[3] / "fixtures" / "requests"
_SENDING = Sending(model="claude-sonnet-4-6", provider="anthropic", maker="maker", output_limit=None, room=1_000)
_EXPECTED_LOSSES = {"context_management"}


def recordings(end: str) -> dict[str, dict[str, Any]]:
    found = {file.stem: json.loads(file.read_text()) for file in sorted(_FOLDER.glob("*.json"))}
    paths = {name: request["target"].partition("?")[0] for name, request in found.items()}
    return {name: request for name, request in found.items() if paths[name].endswith(end)}


_MESSAGES = recordings("/v1/messages")
_COUNTS = recordings("/count_tokens")


def body_of(request: dict[str, Any]) -> bytes:
    return json.dumps(request["body"], separators=(",", ":"), ensure_ascii=False).encode()


def headers_of(request: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in request["headers"].items()]


def test_clients_were_recorded() -> None:
    assert len(_MESSAGES) > 15
    assert _COUNTS


@pytest.mark.parametrize("name", _MESSAGES)
def test_a_request_passes_unchanged(name: str) -> None:
    request = _MESSAGES[name]
    call = decode(body_of(request), headers_of(request))
    assert json.loads(CODEC.encode(call, _SENDING)) == {**request["body"], "model": "claude-sonnet-4-6"}
    kept = {key: value for key, value in request["headers"].items() if key in {"anthropic-version", "anthropic-beta"}}
    assert dict(call.headers) == kept


@pytest.mark.parametrize("name", _MESSAGES)
def test_a_request_is_translated_and_back(name: str) -> None:
    body = _MESSAGES[name]["body"]
    conversation = CODEC.to_conversation(decode(body_of(_MESSAGES[name])))
    assert set(conversation.left_out) <= _EXPECTED_LOSSES
    assert [tool.name for tool in conversation.tools] == [tool["name"] for tool in body.get("tools", [])]
    back = json.loads(CODEC.from_conversation(conversation, _SENDING))
    assert back["max_tokens"] == body["max_tokens"]
    assert back.get("stream", False) == body.get("stream", False)
    assert blocks_in(back["messages"], "tool_use") == blocks_in(body["messages"], "tool_use")
    assert [block["tool_use_id"] for block in blocks_in(back["messages"], "tool_result")] == [
        block["tool_use_id"] for block in blocks_in(body["messages"], "tool_result")
    ]
    assert words_in(back["messages"]) == words_in(body["messages"])
    assert "x-anthropic-billing-header" not in json.dumps(back)


@pytest.mark.parametrize("name", _COUNTS)
def test_a_count_is_asked_for(name: str) -> None:
    request = _COUNTS[name]
    call = decode_count(body_of(request), headers_of(request))
    assert json.loads(encode_count(call, _SENDING)) == {**request["body"], "model": "claude-sonnet-4-6"}


def blocks_in(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    found = [block for content in contents for block in content if block["type"] == kind]
    return [{name: value for name, value in block.items() if name != "cache_control"} for block in found]


def words_in(messages: list[dict[str, Any]]) -> list[str]:
    """All texts, those of later system turns without their wrapping."""
    whole = [message["content"] for message in messages if isinstance(message["content"], str)]
    texts = whole + [block["text"] for block in blocks_in(messages, "text")]
    return sorted(text.removeprefix("<system>\n").removesuffix("\n</system>") for text in texts)
