"""Members that are not known go, and what is known stays byte for byte."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from reseller_kit.wire.known import CallId, Known, names

CALLS = CallId("call_")
CHOICES = Known(
    {**names("index reason"), "delta": {"content": None, "calls": {"id": CALLS, "f": names("name arguments")}}}
)


def test_what_is_known_is_the_same_object() -> None:
    for text in (
        b'[{"index": 0, "delta":{"content":"\\u00e9","calls":[{"id":"call_1a"}]} }]',
        b"null",
        b"[]",
        b'"x"',
        b"7",
    ):
        raw = Raw(text)
        assert CHOICES.only(raw) is raw


def test_what_is_not_known_goes_at_every_depth() -> None:
    raw = Raw(
        b'[{"index":1.50,"who":"me","delta":{"content":{"any":[1]},"who":{"x":1},"calls":[{"f":{"name":"n","who":1}}]}},'
        b'{"index":2}]'
    )
    shown = bytes(CHOICES.only(raw))
    assert shown == b'[{"index":1.50,"delta":{"content":{"any":[1]},"calls":[{"f":{"name":"n"}}]}},{"index":2}]'


@pytest.mark.parametrize("call_id", ["", "call_1", "toolu_01AbC", "srvtoolu_9", "D681PevKs", "call_00_abc", "fc_9f"])
def test_ids_that_say_nothing_stay(call_id: str) -> None:
    assert CALLS.own(call_id) == call_id


@pytest.mark.parametrize(
    "call_id", ["chatcmpl-tool-9f", "functions.look:0", "tooluse_x", "rig-7", "call_a b", "é", "x" * 65, "call_\ud800"]
)
def test_ids_that_say_something_become_digests_that_say_nothing(call_id: str) -> None:
    own = CALLS.own(call_id)
    assert own != call_id
    assert own.startswith("call_")
    assert CALLS.own(own) == own
    assert CALLS.own(call_id) == own


def test_a_call_and_its_result_keep_the_same_id() -> None:
    blocks = Known({"id": CALLS, "tool_use_id": CALLS})
    call, result = json.loads(bytes(blocks.only(Raw(b'[{"id":"rig-7"},{"tool_use_id":"rig-7"}]'))))
    assert call["id"] == result["tool_use_id"] == CALLS.own("rig-7")


def test_what_is_no_json_is_not_passed_on() -> None:
    for text in (b"{", b'{"who":', b"[{]"):
        with pytest.raises(msgspec.DecodeError):
            CHOICES.only(Raw(text))


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
MEMBERS = st.sampled_from(["index", "delta", "content", "calls", "id", "f", "name", "who", "x"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4))


@given(VALUES)
def test_nothing_unknown_is_left_whatever_comes(value: object) -> None:
    raw = Raw(json.dumps(value).encode())
    shown = json.loads(bytes(CHOICES.only(raw)))
    assert json.loads(bytes(CHOICES.only(Raw(json.dumps(shown).encode())))) == shown
    for choice in shown if isinstance(shown, list) else [shown]:
        if isinstance(choice, dict):
            assert set(choice) <= {"index", "reason", "delta"}
