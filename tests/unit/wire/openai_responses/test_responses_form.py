"""Pieces recognised by their form pass exactly as those that are decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseller_kit.wire.codec import Reply
from reseller_kit.wire.openai_responses import decode
from reseller_kit.wire.openai_responses.form import NO_FORM
from reseller_kit.wire.openai_responses.stream import Tap

REPLY = Reply(model="aurora-fast", request_id="req_0abc", maker="maker")
_CALL = decode(b'{"model":"aurora-fast","stream":true,"input":"Hi"}')


def piece(
    number: int, delta: str, *, kind: str = "response.output_text.delta", compact: bool = True, **members: Any
) -> bytes:
    document = {
        "type": kind,
        "sequence_number": number,
        "item_id": "msg_up",
        "output_index": 0,
        **members,
        "delta": delta,
    }
    document |= {"logprobs": []} if members.pop("logprobs", True) else {}
    data = json.dumps(document, separators=(",", ":") if compact else None)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def padded(number: int, delta: str, pad: str) -> bytes:
    return piece(number, delta)[:-3] + b',"obfuscation":"%b"}\n\n' % pad.encode()


def both(*events: bytes) -> tuple[Tap, bytes, Tap, bytes]:
    """The events through one tap, and each through a tap that has forgotten the form of the last."""
    quick, slow = Tap(_CALL, REPLY), Tap(_CALL, REPLY)
    out = b"".join(map(quick.feed, events))
    other = b""
    for event in events:
        slow._form = NO_FORM
        other += slow.feed(event)
    return quick, out, slow, other


@pytest.mark.parametrize("make", [piece, lambda number, delta: padded(number, delta, "xyz"[: number % 4])])
def test_a_form_is_learned_and_used(make: Any) -> None:
    quick, out, slow, other = both(*(make(number, f"t{number}") for number in range(5)))
    assert quick._form != NO_FORM
    assert out == other
    assert quick.estimate_text() == slow.estimate_text() == "t0t1t2t3t4"
    assert b"msg_up" not in out


_TEXTS = st.text(max_size=6) | st.sampled_from(
    ['","logprobs":[]', '"}', "\\", '\\"', '"delta":"', "\u2028", '"sequence_number":3']
)
_EVENTS = st.builds(
    lambda number, delta, shape, pad, raw: (
        padded(number, delta, pad)
        if shape == "padded"
        else raw
        if shape == "raw"
        else piece(
            number,
            delta,
            compact=shape != "spaced",
            kind=f"response.{'refusal' if shape == 'other' else 'output_text'}.delta",
        )
    ),
    st.integers(0, 30),
    _TEXTS,
    st.sampled_from(["plain", "plain", "padded", "padded", "spaced", "other", "raw"]),
    st.sampled_from(["", "ab", "x" * 20]),
    st.sampled_from(
        [
            piece(9, "a").replace(b'"a"', b'"a'),
            piece(9, "a").replace(b'"a"', b'"\\ud800"'),
            piece(9, "a").replace(b'"a"', b'"\xff"'),
            piece(9, "a").replace(b'"a"', b'"a","delta":"b"'),
            piece(9, "a").replace(b'"a"', b'"a","x":"y"'),
            piece(9, "a").replace(b":9,", b":09,"),
            piece(9, "a").replace(b":9,", b":-9,"),
            piece(9, "a").replace(b"msg_up", b"msg_two"),
        ]
    ),
)


@settings(max_examples=200)
@given(st.lists(_EVENTS, max_size=8))
def test_both_ways_agree(events: list[bytes]) -> None:
    quick, out, slow, other = both(*events)
    assert out == other
    assert quick.estimate_text() == slow.estimate_text()
    assert str(quick.error) == str(slow.error)
