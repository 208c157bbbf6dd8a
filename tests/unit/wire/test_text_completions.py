"""Completions, the API before chat: what is asked as a conversation, what is refused, how chat answers look in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire import openai_chat
from reseller_kit.wire.codec import Call, Sending
from reseller_kit.wire.text_completions import answer_body, decode, stream_events

_SENDING = Sending(model="up", provider="", maker="", output_limit=None, room=100)
_CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}


def decoded(**members: Any) -> Call:
    return decode(json.dumps({"model": "m", "prompt": "Once upon", **members}).encode())


def sent(**members: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(openai_chat.CODEC.encode(decoded(**members), _SENDING))
    return body


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({**_CHUNK, "choices": choices, **more}, separators=(",", ":")).encode()


@pytest.mark.parametrize("prompt", ["Once upon", ["Once upon"]])
def test_a_prompt_becomes_the_words_of_a_user(prompt: Any) -> None:
    assert sent(prompt=prompt) == {
        "model": "up",
        "messages": [{"role": "user", "content": "Once upon"}],
        "max_tokens": 16,
    }


def test_what_chat_knows_too_goes_along() -> None:
    body = sent(max_tokens=7, temperature=0.5, stop=["x"], n=2, best_of=2, seed=1, echo=False, suffix="", logprobs=None)
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "up",
        "max_tokens": 7,
        "temperature": 0.5,
        "stop": ["x"],
        "n": 2,
        "seed": 1,
    }
    assert (decoded(max_tokens=7).output_limit, decoded(n=2).n) == (7, 2)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"n": 0}, "n"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"tools": []}, "tools"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"api_base": "http://x"}, "api_base"),
    ],
)
def test_what_a_conversation_cannot_say_is_refused(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**members)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":"m"}', b'{"prompt":"x","prompt":"y","model":"m"}', b"\xff"])
def test_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(body)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": "assistant", "content": "a time"}, "a time"),
        ({"content": None, "refusal": "No."}, "No."),
        ({"content": "a", "reasoning_content": "hm"}, "a"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "other"}]}, "a"),
        ({"content": None}, ""),
    ],
)
def test_an_answer_is_written_in_this_shape(message: dict[str, Any], text: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
    chat = {**_CHUNK, "object": "chat.completion", "choices": [choice], "usage": usage}
    assert json.loads(answer_body(json.dumps(chat).encode())) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 5,
        "model": "m",
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": usage,
    }


def test_a_stream_is_written_in_this_shape() -> None:
    events = (
        chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}, usage=None)
        + chunk({"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}, usage=None)
        + chunk({"index": 0, "delta": {"content": 'a "{"id":" time'}, "finish_reason": None}, usage=None)
        + chunk({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=None)
        + chunk(usage={"prompt_tokens": 3})
        + b": \n\ndata: [DONE]\n\n"
    )
    written = stream_events(events).split(b"\n\n")
    assert written[3:] == [b": ", b"data: [DONE]", b""]
    texts = [json.loads(event.removeprefix(b"data: ")) for event in written[:3]]
    assert [(e["object"], e["id"], e["usage"]) for e in texts] == [
        ("text_completion", "cmpl-1", None),
        ("text_completion", "cmpl-1", None),
        ("text_completion", "cmpl-1", {"prompt_tokens": 3}),
    ]
    assert [[(c["text"], c["finish_reason"]) for c in e["choices"]] for e in texts] == [
        [('a "{"id":" time', None)],
        [("", "stop")],
        [],
    ]


def test_an_error_in_a_stream_stays_as_it_is() -> None:
    event = b'data: {"error":{"message":"m","type":"api_error","param":null,"code":"c"}}\n\n'
    assert stream_events(event) == event
    assert stream_events(b"") == b""
