"""Signatures of ours do not reach a chat upstream that is not asked in translation."""

from __future__ import annotations

import json
from typing import Any

from reseller_kit.wire.codec import Sending
from reseller_kit.wire.openai_chat.request import decode, encode
from reseller_kit.wire.signatures import mark

_SENDING = Sending(model="up", provider="openai", maker="openai", output_limit=None, room=100)


def sent(*messages: dict[str, Any]) -> Any:
    body = json.dumps({"model": "m", "messages": list(messages)}).encode()
    return json.loads(encode(decode(body), _SENDING))["messages"]


def test_marked_details_are_left_out() -> None:
    said = {"role": "assistant", "content": "A"}
    marked = {**said, "reasoning_details": [{"type": "reasoning.text", "signature": mark("a", "openai")}]}
    own = {**said, "reasoning_details": [{"type": "reasoning.text", "signature": "theirs"}]}
    assert sent({"role": "user", "content": "Hi"}, marked, own) == [{"role": "user", "content": "Hi"}, said, own]


def test_marked_details_are_found_however_their_member_is_written() -> None:
    message = {"role": "assistant", "reasoning_details": [{"signature": mark("a", "openai")}]}
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    for written in (rb"reasoning\u005fdetails", b'reasoning_details": null, "reasoning_details'):
        told = json.loads(encode(decode(body.replace(b"reasoning_details", written)), _SENDING))
        assert told["messages"] == [{"role": "assistant"}]


def test_a_text_that_looks_like_a_mark_is_left_alone() -> None:
    messages = [{"role": "user", "content": f"What is {mark('a', 'b')}?"}]
    assert sent(*messages) == messages
