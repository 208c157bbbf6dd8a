"""What OpenAI's clients really send: read, passed on and translated both ways, with nothing lost but what is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.wire import openai_chat, openai_responses
from reseller_kit.wire.codec import Sending
from reseller_kit.wire.conversation import Conversation, Text, ToolCall, ToolResult
from reseller_kit.wire.openai_responses.state import names_earlier_items, with_history

_REQUESTS = Path(__file__).parents[2] / "fixtures" / "requests"
_SENDING = Sending(model="gpt-5", provider="openai", maker="openai", output_limit=None, room=1000)


def _recorded(target: str) -> list[Path]:
    found = []
    for path in sorted(_REQUESTS.glob("*.json")):
        document = json.loads(path.read_text())
        if (document["method"], document["target"]) == ("POST", target):
            found.append(path)
    return found


CHATS = _recorded("/v1/chat/completions")
RESPONSES = _recorded("/v1/responses")


def body_of(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text())["body"]
    return body


def texts_of(conversation: Conversation) -> list[str]:
    texts = []
    for turn in conversation.turns:
        for part in turn.parts:
            if isinstance(part, Text):
                texts.append(part.text)
            elif isinstance(part, ToolCall):
                texts.append(part.arguments)
            elif isinstance(part, ToolResult):
                texts += [piece.text for piece in part.content if isinstance(piece, Text)]
    return texts


@pytest.mark.parametrize("path", CHATS, ids=lambda path: path.stem)
def test_a_chat_is_translated_without_loss(path: Path) -> None:
    body = body_of(path)
    conversation = openai_chat.to_conversation(openai_chat.decode(json.dumps(body).encode()))
    assert conversation.left_out == ()
    assert len(conversation.tools) == len(body.get("tools", ()))
    again = openai_responses.CODEC.to_conversation(
        openai_responses.decode(openai_responses.CODEC.from_conversation(conversation, _SENDING))
    )
    assert texts_of(again) == texts_of(conversation)
    assert [tool.name for tool in again.tools] == [tool.name for tool in conversation.tools]


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_a_responses_request_passes_but_for_what_is_ours(path: Path) -> None:
    body = body_of(path)
    call = openai_responses.decode(json.dumps(body).encode())
    if names_earlier_items(call):
        call = with_history(call, ())
    sent = json.loads(openai_responses.CODEC.encode(call, _SENDING))
    assert (sent["model"], sent["store"], sent["include"]) == ("gpt-5", False, ["reasoning.encrypted_content"])
    own = {"model", "store", "include", "input", "tools", "previous_response_id"}
    assert {name: value for name, value in sent.items() if name not in own} == {
        name: value for name, value in body.items() if name not in own
    }
    given = body.get("tools", [])
    assert sent.get("tools", []) == [tool for tool in given if tool["type"] != "web_search"]
    if isinstance(body["input"], list):
        without_ids = [
            {name: value for name, value in item.items() if name != "id" or item["type"] != "reasoning"}
            for item in body["input"]
        ]
        assert sent["input"] == without_ids


@pytest.mark.parametrize("path", RESPONSES, ids=lambda path: path.stem)
def test_a_responses_request_is_translated_without_loss(path: Path) -> None:
    call = openai_responses.decode(json.dumps(body_of(path)).encode())
    if names_earlier_items(call):
        call = with_history(call, ())
    conversation = openai_responses.CODEC.to_conversation(call)
    assert set(conversation.left_out) <= {"client_metadata", "prompt_cache_key", "tools[8] (web_search)"}
    sent = openai_chat.from_conversation(conversation, _SENDING)
    again = openai_chat.to_conversation(openai_chat.decode(sent))
    assert "\n\n".join(texts_of(again)) == "\n\n".join(texts_of(conversation))
    assert len(again.tools) == len(conversation.tools)
    names = [json.loads(sent)["tools"][index] for index in range(len(again.tools))]
    assert all(len(tool[tool["type"]]["name"]) <= 64 for tool in names)


def test_codex_offers_tools_within_its_input() -> None:
    call = openai_responses.decode(json.dumps(body_of(_REQUESTS / "codex-echo-known-model.json")).encode())
    conversation = openai_responses.CODEC.to_conversation(call)
    assert any(tool.custom and tool.name == "functions__exec" for tool in conversation.tools)
