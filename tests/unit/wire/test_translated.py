"""Answers between two APIs: ids of tool calls begin as the caller's API begins them."""

from __future__ import annotations

import hashlib

import pytest

from reseller_kit.wire.codec import Api
from reseller_kit.wire.translated import own_call_id


@pytest.mark.parametrize(
    ("given", "api", "own"),
    [
        ("toolu_01A", "chat", "call_01A"),
        ("call_01A", "messages", "toolu_01A"),
        ("call_01A", "responses", "call_01A"),
        ("call_01A", "generate_content", "01A"),
        ("8f3a", "responses", "call_8f3a"),
        ("chatcmpl-tool-9", "messages", "toolu_9"),
        ("srvtoolu_9", "chat", "call_9"),
        ("tooluse_9", "chat", "call_9"),
        ("recall_me", "chat", "call_ba2289d0b9fe2b8dc393008c"),
        ("rig-7/gpu3", "messages", "toolu_" + hashlib.sha256(b"toolu_rig-7/gpu3").hexdigest()[:24]),
        ("", "chat", ""),
    ],
)
def test_an_id_begins_as_the_callers_own(given: str, api: Api, own: str) -> None:
    assert own_call_id(given, api) == own
    assert own_call_id(own, api) == own
